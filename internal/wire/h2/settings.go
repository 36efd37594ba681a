package h2

import "encoding/binary"

// SettingID is the identifier of a setting.
type SettingID uint16

// The settings of RFC 9113 section 6.5.2, RFC 8441 section 3 and RFC 9218 section 2.1.
const (
	SettingHeaderTableSize      SettingID = 0x1
	SettingEnablePush           SettingID = 0x2
	SettingMaxConcurrentStreams SettingID = 0x3
	SettingInitialWindowSize    SettingID = 0x4
	SettingMaxFrameSize         SettingID = 0x5
	SettingMaxHeaderListSize    SettingID = 0x6
	SettingEnableConnect        SettingID = 0x8
	SettingNoPriorities         SettingID = 0x9
)

// Setting is one parameter of a SETTINGS frame.
type Setting struct {
	ID    SettingID
	Value uint32
}

// peerSettings is what the peer told us, or the defaults.
type peerSettings struct {
	maxStreams   uint32
	window       int64
	maxFrame     int
	maxList      uint32
	connect      bool
	noPriorities uint8 // 0: not said, 1: said 0, 2: said 1
	seen         bool
}

func (p *peerSettings) init() {
	*p = peerSettings{maxStreams: maxStreamID, window: DefaultWindow, maxFrame: MinFrameBytes, maxList: 1<<32 - 1}
}

// ourSettings appends the SETTINGS that begin a connection.
func (c *Conn) ourSettings(dst []byte) []byte {
	l := &c.cfg.Limits
	s := [...]Setting{
		{SettingHeaderTableSize, uint32(l.DecoderTable)},
		{SettingInitialWindowSize, uint32(l.StreamWindow)},
		{SettingMaxFrameSize, uint32(l.FrameBytes)},
		{SettingMaxHeaderListSize, uint32(l.Message.HeadBytes)},
		{SettingNoPriorities, 1},
		{}, {},
	}
	if c.cfg.Client {
		s[5] = Setting{SettingEnablePush, 0}
		s[6] = Setting{SettingMaxConcurrentStreams, 0} // of pushed streams
	} else {
		s[5] = Setting{SettingMaxConcurrentStreams, uint32(l.Streams)}
		s[6] = Setting{SettingEnableConnect, 1}
	}
	n := len(s)
	if !c.cfg.Client && !c.cfg.ExtendedConnect {
		n--
	}
	return AppendSettings(dst, s[:n]...)
}

// settings takes in a SETTINGS frame (RFC 9113 section 6.5) and acknowledges it.
func (c *Conn) settings(f *Frame) *Error {
	if f.Has(FlagAck) {
		return c.settingsAcked()
	}
	if c.peer.seen && !c.spend(floodControl) {
		return ErrControl
	}
	for p := f.Payload; len(p) >= 6; p = p[6:] {
		if err := c.setting(SettingID(binary.BigEndian.Uint16(p)), binary.BigEndian.Uint32(p[2:])); err != nil {
			return err
		}
	}
	c.peer.seen = true
	c.out = AppendSettingsAck(c.out)
	return nil
}

func (c *Conn) setting(id SettingID, v uint32) *Error {
	p := &c.peer
	switch id {
	case SettingHeaderTableSize:
		c.enc.Allow(v)
	case SettingEnablePush:
		// A server must not send anything but 0 (section 6.5.2).
		if v > 1 || c.cfg.Client && v != 0 {
			return ErrSettingsValue
		}
	case SettingMaxConcurrentStreams:
		p.maxStreams = v
	case SettingInitialWindowSize:
		if v > MaxWindow {
			return ErrSettingsWindow
		}
		return c.moveSendWindows(int64(v))
	case SettingMaxFrameSize:
		if v < MinFrameBytes || v > MaxFrameBytes {
			return ErrSettingsValue
		}
		p.maxFrame = int(v)
	case SettingMaxHeaderListSize:
		p.maxList = v
	case SettingEnableConnect:
		// RFC 8441 section 3: not back to 0.
		if v > 1 || p.connect && v == 0 {
			return ErrSettingsValue
		}
		p.connect = v == 1
	case SettingNoPriorities:
		// RFC 9218 section 2.1: not to be changed.
		if v > 1 || p.noPriorities != 0 && p.noPriorities != uint8(v)+1 {
			return ErrSettingsValue
		}
		p.noPriorities = uint8(v) + 1
	}
	return nil
}

// settingsAcked: from here on the peer keeps to our settings.
func (c *Conn) settingsAcked() *Error {
	if c.acked {
		return ErrSettingsAck
	}
	c.acked = true
	c.dec.Allow(c.cfg.Limits.DecoderTable)
	delta := c.cfg.Limits.StreamWindow - DefaultWindow
	for _, s := range c.streams.slots {
		if s != nil {
			s.recvLeft += int64(delta)
			s.recvMax += int64(delta)
		}
	}
	return nil
}
