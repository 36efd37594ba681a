package tlsrec

import (
	"crypto"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"iter"
)

// handshake is crypto/tls at work: a connection over a pipe, and the coroutine in which its Handshake runs until it needs
// more input. When the handshake has ended the coroutine has too; nothing of it outlives done or cancel.
type handshake struct {
	pipe    pipe
	tls     *tls.Conn
	secrets secrets
	server  bool
	next    func() (struct{}, bool)
	stop    func()
	err     error
	done    bool
	// work is the signature that the handshake waits for; handed tells that the caller has it.
	work   *signature
	handed bool
	asked  bool // the server asked for our certificate
	// suiteID is the suite in the server's last ServerHello.
	suiteID uint16
	// out is the server's sending direction. crypto/tls sends session tickets as part of the handshake, and each takes
	// a sequence number.
	out half
}

func newHandshake(cfg *tls.Config, server bool, o Options) *handshake {
	h := &handshake{server: server}
	h.pipe.alert = alertNone
	h.pipe.limit = o.MaxHandshakeBytes
	if h.pipe.limit <= 0 {
		h.pipe.limit = DefaultMaxHandshakeBytes
	}
	h.pipe.peer = address(o.Peer)
	if !server {
		o.Offload = nil
	}
	own := h.configure(cfg, o.Offload)
	if server {
		h.pipe.wrote = h.countSealed
		h.tls = tls.Server(&h.pipe, own)
	} else {
		h.tls = tls.Client(&h.pipe, own)
	}
	h.next, h.stop = iter.Pull(h.run)
	return h
}

// configure returns a configuration like cfg that belongs to this handshake: its secrets come here, also where
// GetConfigForClient chooses another configuration, and signatures with the keys that offload names are made elsewhere.
func (h *handshake) configure(cfg *tls.Config, offload func(crypto.Signer) bool) *tls.Config {
	adopt := func(cfg *tls.Config) *tls.Config {
		own := cfg.Clone()
		own.KeyLogWriter = &h.secrets
		if get := own.GetCertificate; offload != nil && get != nil {
			own.GetCertificate = h.signElsewhere(get, offload)
		}
		return own
	}
	own := adopt(cfg)
	if !h.server {
		own.GetClientCertificate = h.noteRequest(own)
		return own
	}
	if choose := own.GetConfigForClient; choose != nil {
		own.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if chosen == nil || err != nil {
				return nil, err
			}
			return adopt(chosen), nil
		}
	}
	return own
}

// noteRequest returns a GetClientCertificate that notes that it was called, and chooses as cfg would.
func (h *handshake) noteRequest(cfg *tls.Config) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	get, certs := cfg.GetClientCertificate, cfg.Certificates
	return func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		h.asked = true
		if get != nil {
			return get(r)
		}
		for i := range certs {
			if r.SupportsCertificate(&certs[i]) == nil {
				return &certs[i], nil
			}
		}
		return new(tls.Certificate), nil // none: the server decides what that means
	}
}

// run is the coroutine. It yields whenever crypto/tls wants to read what has not been received.
func (h *handshake) run(yield func(struct{}) bool) {
	h.pipe.wait = func() bool { return yield(struct{}{}) }
	h.err = h.tls.Handshake()
	h.pipe.wait = nil
	h.done = true
}

// step lets the handshake read from in for as far as it goes, and returns how much it read.
func (h *handshake) step(in []byte) int {
	if h.work != nil && !h.work.ready.Load() {
		return 0
	}
	h.pipe.in = in
	h.next()
	n := len(in) - len(h.pipe.in)
	h.pipe.in = nil
	if h.done {
		h.pipe.limit, h.pipe.wrote = 0, nil
		h.stop()
	}
	return n
}

// cancel ends the coroutine wherever it is and forgets the secrets. It may be called at any time, more than once.
func (h *handshake) cancel() {
	h.stop()
	h.secrets.wipe()
	h.out.wipe()
}

// countSealed follows what a TLS 1.3 server writes: it takes the suite from the ServerHello and counts the session tickets.
// They share flight and content type with the records under the handshake secret, and only the key tells them apart; so
// every record since the secret is known is tried. That is a few short records in the flight with the server's Finished,
// and one later if clients are asked for certificates.
func (h *handshake) countSealed(records []byte) {
	for len(records) >= HeaderLen {
		size := HeaderLen + int(binary.BigEndian.Uint16(records[3:]))
		if size > len(records) {
			return // crypto/tls writes whole records; and a wrong count would only make the peer hang up
		}
		rec := records[:size]
		records = records[size:]
		switch {
		case rec[0] == typeHandshake:
			h.readServerHello(rec[HeaderLen:])
		case rec[0] == typeApplicationData && h.secrets.serverLen > 0:
			if h.out.aead == nil && !h.readySeal() {
				return
			}
			if plain, err := h.out.aead.Open(nil, h.out.nextNonce(), rec[HeaderLen:], rec[:HeaderLen]); err == nil {
				clear(plain)
				h.out.seq++
			}
		}
	}
}

// readServerHello takes the cipher suite from a ServerHello or HelloRetryRequest (RFC 8446, 4.1.3); asking crypto/tls for
// its ConnectionState would deadlock before the handshake has ended.
func (h *handshake) readServerHello(m []byte) {
	const session = 4 + 2 + 32 // message header, version, random
	if len(m) <= session || m[0] != messageServerHello {
		return
	}
	if at := session + 1 + int(m[session]); at+2 <= len(m) {
		h.suiteID = binary.BigEndian.Uint16(m[at:])
	}
}

// readySeal sets the server's sending direction.
func (h *handshake) readySeal() bool {
	s, err := suiteByID(h.suiteID)
	return err == nil && h.out.set(s, h.secrets.server[:h.secrets.serverLen], 0) == nil
}

var errNoSecrets = errors.New("crypto/tls did not report the traffic secrets")

// keys sets both directions of the record layer to the state in which the handshake leaves them.
func (h *handshake) keys(in, out *half, suiteID uint16) error {
	s, err := suiteByID(suiteID)
	if err != nil {
		return err
	}
	if h.secrets.clientLen == 0 || h.secrets.serverLen == 0 {
		return errNoSecrets
	}
	client, server := h.secrets.client[:h.secrets.clientLen], h.secrets.server[:h.secrets.serverLen]
	if h.server {
		return errors.Join(in.set(s, client, 0), out.set(s, server, h.out.seq))
	}
	return errors.Join(in.set(s, server, 0), out.set(s, client, 0))
}
