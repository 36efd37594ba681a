package tlsrec

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

var benchSizes = []int{1200, MaxPlaintext}

func BenchmarkSeal(b *testing.B) {
	for _, id := range suiteIDs {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", tls.CipherSuiteName(id), n), func(b *testing.B) {
				_, c := bare13(b, id)
				content, buf := payload(n), make([]byte, 0, c.SealedLen(n))
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Seal(buf, content); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, id := range suiteIDs {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("%s/%d", tls.CipherSuiteName(id), n), func(b *testing.B) {
				s, c := bare13(b, id)
				sealed := must(c.Seal(nil, payload(n)))
				in := make([]byte, len(sealed))
				b.SetBytes(int64(n))
				b.ReportAllocs()
				for b.Loop() {
					copy(in, sealed)
					s.in.seq = 0
					if _, ev, err := s.Receive(in); err != nil || len(ev.Data) != n {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// wire is an endless connection: what is written is counted, what is read is what was prepared.
type wire struct {
	net.Conn
	in []byte
}

func (w *wire) Write(p []byte) (int, error) { return len(p), nil }
func (w *wire) Read(p []byte) (int, error) {
	if len(w.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.in)
	w.in = w.in[n:]
	return n, nil
}
func (*wire) SetWriteDeadline(time.Time) error { return nil }

// swap is a connection whose inside can be exchanged after the handshake.
type swap struct{ net.Conn }

// cryptoTLS is an established connection of crypto/tls, and our client on the other side of it.
func cryptoTLS(b *testing.B) (*tls.Conn, *swap, *glue) {
	x, y := tcpPair(b)
	inside := &swap{x}
	server := tls.Server(inside, serverConfig())
	g := newGlue(Client(clientConfig(), Options{}), y)
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := g.handshake(); err != nil {
		b.Fatal(err)
	}
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	return server, inside, g
}

// BenchmarkCryptoTLSWrite is what BenchmarkSeal is to be compared with; the suite is the one that crypto/tls prefers here.
func BenchmarkCryptoTLSWrite(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server, inside, g := cryptoTLS(b)
			defer g.c.Close()
			inside.Conn = &wire{}
			content := payload(n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := server.Write(content); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCryptoTLSRead is what BenchmarkOpen is to be compared with.
func BenchmarkCryptoTLSRead(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			server, inside, g := cryptoTLS(b)
			defer g.c.Close()
			w := &wire{}
			inside.Conn = w
			content, got, buf := payload(n), make([]byte, n), make([]byte, 0, n+100)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				w.in = must(g.c.Seal(buf, content))
				b.StartTimer()
				if _, err := io.ReadFull(server, got); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHandshake is a whole handshake, both sides in one thread: ours with ours, and crypto/tls over a pipe.
func BenchmarkHandshake(b *testing.B) {
	for _, resumed := range []bool{false, true} {
		b.Run(fmt.Sprintf("ours/resumed=%v", resumed), func(b *testing.B) {
			server, client := serverConfig(), clientConfig()
			if resumed {
				client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			}
			b.ReportAllocs()
			for b.Loop() {
				s, c, rest := pair(b, server, client)
				opened(b, c, rest)
				s.Close()
				c.Close()
			}
		})
	}
	b.Run("crypto/tls", func(b *testing.B) {
		server, client := serverConfig(), clientConfig()
		b.ReportAllocs()
		for b.Loop() {
			x, y := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- tls.Server(x, server).Handshake() }()
			if err := tls.Client(y, client).Handshake(); err != nil {
				b.Fatal(err)
			}
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			x.Close()
			y.Close()
		}
	})
}
