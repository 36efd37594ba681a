package tlsrec

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"io"
	"sync/atomic"
)

// signature is one that a handshake waits for while somebody else makes it.
type signature struct {
	key    crypto.Signer
	digest []byte
	opts   crypto.SignerOpts
	sig    []byte
	err    error
	ready  atomic.Bool
}

func (s *signature) make() {
	s.sig, s.err = s.key.Sign(rand.Reader, s.digest, s.opts)
	s.ready.Store(true)
}

// signElsewhere wraps GetCertificate so that the private key suspends the handshake instead of signing.
func (h *handshake) signElsewhere(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), slow func(crypto.Signer) bool) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := get(hello)
		if cert == nil || err != nil {
			return nil, err
		}
		key, ok := cert.PrivateKey.(crypto.Signer)
		if !ok || !slow(key) {
			return cert, nil
		}
		away := *cert
		away.PrivateKey = suspendingKey{key, h}
		return &away, nil
	}
}

// suspendingKey is a private key whose Sign runs in the coroutine of a handshake and suspends it.
type suspendingKey struct {
	key crypto.Signer
	h   *handshake
}

// Public implements crypto.Signer.
func (k suspendingKey) Public() crypto.PublicKey { return k.key.Public() }

// Sign implements crypto.Signer.
func (k suspendingKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s := &signature{key: k.key, digest: digest, opts: opts}
	k.h.work, k.h.handed = s, false
	for !s.ready.Load() {
		if !k.h.pipe.wait() {
			return nil, errCanceled
		}
	}
	k.h.work = nil
	return s.sig, s.err
}
