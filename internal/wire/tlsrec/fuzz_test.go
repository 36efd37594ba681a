package tlsrec

import (
	"bytes"
	"crypto/tls"
	"testing"
)

// FuzzOpen gives an established connection anything, in two pieces: it may not panic, ask for less than it has, produce
// content from what was not sealed, or leave an error unanswered.
func FuzzOpen(f *testing.F) {
	_, c := bare13(f, tls.TLS_AES_128_GCM_SHA256)
	sealed := must(c.Seal(nil, []byte("hello")))
	f.Add(bytes.Clone(sealed), 7, false)
	f.Add(c.out.seal(bytes.Clone(sealed), []byte{messageKeyUpdate, 0, 0, 1, 1}, typeHandshake), 30, false)
	f.Add([]byte("\x14\x03\x03\x00\x01\x01"), 2, false)
	f.Add([]byte{messageKeyUpdate, 0, 0, 1, 1, messageKeyUpdate}, int(typeHandshake), true)
	f.Add([]byte{messageTicket, 0, 0, 1, 1, messageTicket, 0}, int(typeHandshake), true)
	f.Add([]byte{1, 0}, int(typeAlert), true)
	f.Fuzz(func(t *testing.T, in []byte, cut int, sealIt bool) {
		for _, receiver := range []bool{true, false} {
			s, c := bare13(t, tls.TLS_AES_128_GCM_SHA256)
			if !receiver {
				s, c = c, s
			}
			input := bytes.Clone(in)
			if sealIt {
				// The content of a record is anything: fuzz what comes after decryption.
				if len(input) > MaxPlaintext {
					return
				}
				input = c.out.seal(nil, input, byte(cut))
				cut = 0
			}
			honest := bytes.HasPrefix(input, sealed) || sealIt
			cut = max(0, min(cut, len(input)))
			at := 0
			for _, end := range []int{cut, len(input)} {
				for at <= end {
					n, ev, err := s.Receive(input[at:end])
					if err != nil {
						if e := err.(*Error); !e.Received && e.HasAlert() && s.Pending() == 0 {
							t.Fatalf("%v, and the peer is not told", err)
						}
						if len(ev.Data) > 0 {
							t.Fatal("content with an error")
						}
						return
					}
					if ev.Kind == Data && !honest {
						t.Fatal("content that nobody sealed")
					}
					at += n
					if ev.Kind == Closed {
						return
					}
					if ev.Kind == NeedMore {
						if ev.Need <= end-at || ev.Need > MaxRecord {
							t.Fatalf("has %d bytes, asks for %d", end-at, ev.Need)
						}
						break
					}
				}
			}
		}
	})
}

// FuzzServerHandshake gives a server anything as the first flight: crypto/tls must stay within its pipe, and every end of
// it must free the coroutine.
func FuzzServerHandshake(f *testing.F) {
	client := clientConfig()
	f.Add(firstFlight(f, client), 100)
	client.MaxVersion = tls.VersionTLS12
	hello := firstFlight(f, client)
	f.Add(hello, 0)
	f.Add(append(bytes.Clone(hello), 22, 3, 3, 0, 4, 16, 0, 0, 0), 5)
	f.Add([]byte("\x16\x03\x01\xff\xffGET"), 3)
	f.Add([]byte("\x15\x03\x01\x00\x02\x01\x00\x15\x03\x01\x00\x02\x01\x00"), 3)
	server := serverConfig()
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		s := Server(server, Options{MaxHandshakeBytes: 32 << 10})
		defer s.Close()
		cut = max(0, min(cut, len(in)))
		at := 0
		for _, end := range []int{cut, len(in)} {
			n, ev, err := s.Receive(bytes.Clone(in[at:end]))
			if err != nil {
				return
			}
			if ev.Kind != NeedMore || s.State() != nil {
				t.Fatal("a handshake without a peer")
			}
			if at += n; ev.Need <= end-at || ev.Need > MaxRecord {
				t.Fatalf("has %d bytes, asks for %d", end-at, ev.Need)
			}
		}
	})
}
