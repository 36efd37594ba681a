package exchange

// Flags is the set of response flags of an exchange: why it ended other than by a plain upstream response. The spellings are Envoy's
// where Envoy has one.
type Flags uint16

// Response flags.
const (
	NoRoute                Flags = 1 << iota // NR: no route matched
	NoHealthyUpstream                        // UH: no endpoint to send to
	UpstreamConnectFailure                   // UF: could not connect
	UpstreamOverflow                         // UO: connection or pending limit reached
	UpstreamTimeout                          // UT: no answer in time
	UpstreamTermination                      // UC: connection ended by the upstream before the response was whole
	UpstreamProtocolError                    // UPE: the upstream's bytes are not a valid response
	DownstreamTermination                    // DC: the client went away
	DownstreamProtocol                       // DPE: the client's bytes are not a valid request
	DownstreamTimeout                        // DT: the client did not send in time
	RateLimited                              // RL
	Overload                                 // OM: shed to protect the gateway
	Draining                                 // DR: refused while shutting down
	flagsEnd
)

var flagNames = [...]string{"NR", "UH", "UF", "UO", "UT", "UC", "UPE", "DC", "DPE", "DT", "RL", "OM", "DR"}

// Append appends the flags as "UF,UC", or "-" when there are none.
func (f Flags) Append(dst []byte) []byte {
	if f == 0 {
		return append(dst, '-')
	}
	sep := false
	for i, name := range flagNames {
		if f&(1<<i) == 0 {
			continue
		}
		if sep {
			dst = append(dst, ',')
		}
		dst = append(dst, name...)
		sep = true
	}
	return dst
}

// String is Append for people.
func (f Flags) String() string { return string(f.Append(nil)) }
