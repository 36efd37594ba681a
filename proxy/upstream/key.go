package upstream

import (
	"bytes"

	"github.com/cespare/xxhash/v2"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// identify takes from the request what decides about its endpoint.
func (cl *Client) identify(q *Request, r *wire.Request, path []byte, from *exchange.Client) {
	var v []byte
	switch k := &cl.c.Key; k.From {
	case cluster.KeyNone:
	case cluster.KeyHeader:
		v = header(r, k.Name)
	case cluster.KeyCookie:
		v = cookie(r, k.Name)
	case cluster.KeySourceIP:
		v = from.IP
	case cluster.KeyPath:
		v = path
	}
	if v != nil {
		q.key = xxhash.Sum64(v) | 1 // 0 is no key
	}
	if s := cl.c.Sticky; s != nil {
		if token := cookie(r, s.Name); token != nil {
			q.want = cl.c.View().ByToken(token)
		}
	}
}

// header returns the value of the first field of this name, nil when there is none or it is empty.
func header(r *wire.Request, name []byte) []byte {
	for i := range r.Fields {
		if f := &r.Fields[i]; wire.EqualFold(f.Name, name) && len(f.Value) > 0 {
			return f.Value
		}
	}
	return nil
}

// cookie returns the value of the first cookie of this name (RFC 6265 section 5.4), nil when there is none or it is empty.
func cookie(r *wire.Request, name []byte) []byte {
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.ID != wire.FieldCookie {
			continue
		}
		for rest := f.Value; len(rest) > 0; {
			var pair []byte
			if at := bytes.IndexByte(rest, ';'); at >= 0 {
				pair, rest = rest[:at], rest[at+1:]
			} else {
				pair, rest = rest, nil
			}
			pair = bytes.TrimSpace(pair)
			if len(pair) > len(name)+1 && pair[len(name)] == '=' && bytes.Equal(pair[:len(name)], name) {
				return pair[len(name)+1:]
			}
		}
	}
	return nil
}
