package cluster

import "crypto/tls"

// TLS is how connections to endpoints are encrypted. It does not change.
type TLS struct {
	// Config for the handshake, ALPN included. Without a ServerName, each endpoint is asked for by the host of its own name.
	Config *tls.Config
	// Key is equal for equal settings, the content of files included.
	Key string
}

func (t *TLS) same(o *TLS) bool { return t == o || t != nil && o != nil && t.Key == o.Key }
