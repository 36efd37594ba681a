package workload

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// maxInserted is how much of a server's dynamic table we fill, as RFC 7541 section 4.1 counts it: the initial size, which a server
// must say if it wants less.
const maxInserted = hpack.DefaultTableBytes

// renderH2 encodes the heads of all requests. Fields that all of them have in common are meant for the server's dynamic table, so that
// on a connection that has them there a request is a few bytes long.
func renderH2(targets []target, grpc bool) ([]Request, error) {
	lists := make([][][2]string, len(targets))
	for i, t := range targets {
		if !isToken(t.method) {
			return nil, fmt.Errorf("%s %s: method %q is not a token", t.method, t.url, t.method)
		}
		if grpc {
			targets[i] = t.call()
		}
		var err error
		if lists[i], err = targets[i].fieldsH2(grpc); err != nil {
			return nil, fmt.Errorf("%s %s: %w", t.method, t.url, err)
		}
	}
	place := map[[2]string]int{} // field → in which order it was inserted
	size := 0
	for _, f := range lists[0] {
		n := len(f[0]) + len(f[1]) + hpack.EntryOverhead
		if _, twice := place[f]; twice || !inAll(lists, f) || inStatic(f) || size+n > maxInserted {
			continue
		}
		size += n
		place[f] = len(place)
	}
	out := make([]Request, len(targets))
	for i, t := range targets {
		r := &out[i]
		r.Method, r.Body = wire.LookupMethod([]byte(t.method)), t.body
		inserted := map[[2]string]bool{}
		ordered := true
		for _, f := range lists[i] {
			r.Block = hpack.AppendLiteral(r.Block, f[0], f[1])
			n, common := place[f]
			switch {
			case !common:
				r.Insert = hpack.AppendLiteral(r.Insert, f[0], f[1])
				r.Indexed = hpack.AppendLiteral(r.Indexed, f[0], f[1])
				continue
			case !inserted[f]:
				ordered = ordered && n == len(inserted)
				r.Insert = hpack.AppendInsert(r.Insert, f[0], f[1])
			default:
				r.Insert = hpack.AppendLiteral(r.Insert, f[0], f[1])
			}
			inserted[f] = true
			r.Indexed = hpack.AppendIndexed(r.Indexed, hpack.FirstDynamic+len(place)-1-n)
		}
		if len(place) == 0 || !ordered {
			r.Insert, r.Indexed = nil, nil // it neither relies on the table nor changes it
		}
	}
	return out, nil
}

func inAll(lists [][][2]string, f [2]string) bool {
	for _, l := range lists {
		found := false
		for _, g := range l {
			found = found || f == g
		}
		if !found {
			return false
		}
	}
	return true
}

// inStatic tells whether a field is one byte already.
func inStatic(f [2]string) bool { return len(hpack.AppendLiteral(nil, f[0], f[1])) == 1 }

// fieldsH2 are all fields of a request, pseudo-headers first (RFC 9113 section 8.3.1).
func (t target) fieldsH2(grpc bool) ([][2]string, error) {
	h, err := t.head()
	if err != nil {
		return nil, err
	}
	l := [][2]string{{":method", t.method}, {":scheme", t.url.Scheme}, {":authority", h.host}, {":path", t.url.RequestURI()}}
	if h.userAgent != "" {
		l = append(l, [2]string{"user-agent", h.userAgent})
	}
	have := map[string]bool{}
	for _, f := range h.fields {
		name := strings.ToLower(f[0])
		switch {
		case name == "te" && f[1] != "trailers", name == "keep-alive", name == "proxy-connection":
			return nil, fmt.Errorf("header %q is not allowed in HTTP/2", f[0])
		}
		have[name] = true
		l = append(l, [2]string{name, f[1]})
	}
	if grpc {
		for _, f := range [][2]string{{"content-type", "application/grpc"}, {"te", "trailers"}} {
			if !have[f[0]] {
				l = append(l, f)
			}
		}
		return l, nil // a message says its own length
	}
	if t.hasLength() {
		l = append(l, [2]string{"content-length", strconv.Itoa(len(t.body))})
	}
	return l, nil
}

// call makes a target a unary call of gRPC: POST, and the body one message.
func (t target) call() target {
	t.method = "POST"
	b := append(make([]byte, 0, 5+len(t.body)), 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.body)))
	t.body = append(b, t.body...)
	return t
}
