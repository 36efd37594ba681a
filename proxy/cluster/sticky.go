package cluster

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Sticky is a cookie that the gateway sets: a client that sends it back reaches the same endpoint as long as that is healthy. Its
// values name endpoints by a keyed hash of their address, so they mean the same to every gateway with the same
// secret, and survive restarts and changes of the list.
type Sticky struct {
	// Name of the cookie; Secret is the key of the hash.
	Name, Secret []byte
	// MaxAge is how long browsers keep it, 0: as long as they run.
	MaxAge time.Duration
	Secure bool
	// SameSite is "lax", "strict" or "none".
	SameSite string
}

// bind gives e its token and its Set-Cookie value (RFC 6265 section 4.1).
func (s *Sticky) bind(e *endpoint.Endpoint) {
	h := hmac.New(sha256.New, s.Secret)
	h.Write([]byte(e.Name))
	e.Token = hex.EncodeToString(h.Sum(nil)[:8])
	c := string(s.Name) + "=" + e.Token + "; Path=/; HttpOnly"
	if s.MaxAge > 0 {
		c += "; Max-Age=" + strconv.FormatInt(int64(s.MaxAge/time.Second), 10)
	}
	switch s.SameSite {
	case "strict":
		c += "; SameSite=Strict"
	case "none":
		c += "; SameSite=None"
	default:
		c += "; SameSite=Lax"
	}
	if s.Secure {
		c += "; Secure"
	}
	e.Cookie = []byte(c)
}
