package tlsrec

import (
	"bytes"
	"encoding/hex"
)

// secrets catches the application traffic secrets of one connection. It is the KeyLogWriter of a configuration that
// belongs to that connection alone, so that no other connection's secrets can reach it. Nothing is written anywhere.
type secrets struct {
	client, server [maxSecret]byte
	// clientLen and serverLen are 0 until the secret is known.
	clientLen, serverLen int
	random               [32]byte
}

var (
	labelClient = []byte("CLIENT_TRAFFIC_SECRET_0")
	labelServer = []byte("SERVER_TRAFFIC_SECRET_0")
)

// Write takes one line of the key log: label, client random, secret. It answers as if all had been written: a line that
// means nothing to us is none of crypto/tls's business.
func (s *secrets) Write(line []byte) (int, error) {
	label, rest, _ := bytes.Cut(bytes.TrimRight(line, "\n"), []byte(" "))
	random, secret, _ := bytes.Cut(rest, []byte(" "))
	switch {
	case bytes.Equal(label, labelClient):
		s.clientLen = s.take(&s.client, random, secret)
	case bytes.Equal(label, labelServer):
		s.serverLen = s.take(&s.server, random, secret)
	}
	return len(line), nil
}

// take decodes a secret into dst and returns its length, 0 if it does not belong with the other one.
func (s *secrets) take(dst *[maxSecret]byte, randomHex, secretHex []byte) int {
	var random [32]byte
	if len(randomHex) != 2*len(random) || len(secretHex) > 2*maxSecret {
		return 0
	}
	if _, err := hex.Decode(random[:], randomHex); err != nil {
		return 0
	}
	if s.clientLen+s.serverLen > 0 && random != s.random {
		return 0
	}
	s.random = random
	n, err := hex.Decode(dst[:], secretHex)
	if err != nil {
		return 0
	}
	return n
}

// wipe forgets the secrets.
func (s *secrets) wipe() { *s = secrets{} }
