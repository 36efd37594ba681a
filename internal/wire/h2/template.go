package h2

// EncoderTable is the size of the dynamic table that blocks for OpenBlock may count on, in bytes: the smaller one of
// Limits.EncoderTable and the peer's SETTINGS_HEADER_TABLE_SIZE. When it changes, entries may be gone.
func (c *Conn) EncoderTable() int { return c.enc.TableSize() }
