package server

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// quietH2Origin speaks HTTP/2 with prior knowledge, answers every request when it is whole, and allocates nothing while it does. It takes connections one
// after the other.
func quietH2Origin(t *testing.T) string {
	t.Helper()
	return serveEach(t, func(c net.Conn) { answerH2(c) })
}

// answerH2 answers what comes in on c until it ends.
func answerH2(c net.Conn) {
	head := headers(0, false, block(200, "content-type", "text/plain", "content-length", "7"))
	answer := join(head, data(0, true, "proxied"))
	if _, err := c.Write(h2.AppendWindowUpdate(h2.AppendSettings(nil), 0, 1<<30)); err != nil {
		return
	}
	in, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	preface := make([]byte, len(h2.Preface))
	if _, err := io.ReadFull(c, preface); err != nil {
		return
	}
	for have := 0; ; {
		n, err := c.Read(in[have:])
		if err != nil {
			return
		}
		have += n
		at := 0
		for have-at >= h2.HeaderBytes {
			f := h2.ParseHeader(in[at:])
			size := h2.HeaderBytes + int(f.Length)
			if have-at < size {
				break
			}
			switch {
			case f.Type == h2.FrameSettings && !f.Has(h2.FlagAck):
				out = h2.AppendSettingsAck(out)
			case (f.Type == h2.FrameHeaders || f.Type == h2.FrameData) && f.Has(h2.FlagEndStream):
				from := len(out)
				out = append(out, answer...)
				binary.BigEndian.PutUint32(out[from+5:], f.Stream)
				binary.BigEndian.PutUint32(out[from+len(head)+5:], f.Stream)
			}
			at += size
		}
		have = copy(in, in[at:have])
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
	}
}
