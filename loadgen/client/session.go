package client

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

var errNotResumed = errors.New("the server did not resume the session")

// Shaken implements secure.Owner: it counts the handshake and checks what it settled.
func (k *conn) Shaken(st *tlsrec.State) error {
	c := k.c
	c.rec.Handshakes++
	if st.Resumed {
		c.rec.Resumed++
	}
	if c.tlsState == nil || st.Resumed {
		c.tlsState = st
	}
	switch {
	case c.cfg.ALPN != "" && st.ALPN != c.cfg.ALPN:
		return fmt.Errorf("the server did not agree to the application protocol %s (its choice: %q)", c.cfg.ALPN, st.ALPN)
	case c.sessions != nil && c.phase != connecting && !st.Resumed:
		return errNotResumed
	}
	return nil
}

// Waiting implements secure.Owner. A ticket may have come.
func (k *conn) Waiting() {
	if k.c.primed != nil {
		k.c.primed()
	}
}

// sessions keeps the last session for all connections of a thread.
type sessions struct{ last *tls.ClientSessionState }

// Get implements tls.ClientSessionCache.
func (s *sessions) Get(string) (*tls.ClientSessionState, bool) { return s.last, s.last != nil }

// Put implements tls.ClientSessionCache. A nil session, which would forget, is not kept: then a handshake that could not be resumed
// shows as an error and not as a full handshake.
func (s *sessions) Put(_ string, cs *tls.ClientSessionState) {
	if cs != nil {
		s.last = cs
	}
}
