package snapshot

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// policyTexts are what holds for requests of a route besides its timeouts, as sentences.
func (s *Snapshot) policyTexts(a *Action, c *cluster.Cluster, r *wire.Request) (out []string) {
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if a.BufferRequest > 0 {
		add("receives up to %d bytes of the request body before an endpoint is asked", a.BufferRequest)
	}
	switch asksForUpgrade := slices.ContainsFunc(r.Fields, func(f wire.Field) bool { return strings.EqualFold(string(f.Name), "upgrade") }); {
	case a.AllowUpgrade:
		add("lets WebSockets and other upgrades through")
	case r.Method == wire.MethodConnect:
		add("answers 403: CONNECT needs allow_upgrade")
	case asksForUpgrade:
		add("forwards it without Upgrade, which needs allow_upgrade")
	}
	tries := triesOf(a, c)
	if c == nil { // one of several: each has its own budget
		return appendText(out, tries.text(r))
	}
	overTLS := s.config != nil && slices.ContainsFunc(s.config.Clusters, func(x config.Cluster) bool { return x.Name == c.Name && x.TLS != nil })
	if overTLS || c.Protocol == cluster.VersionH2 || c.Protocol == cluster.VersionAuto {
		version, secure := "HTTP/1.1", ""
		switch c.Protocol {
		case cluster.VersionH2:
			version = "HTTP/2"
		case cluster.VersionAuto:
			version = "HTTP/2 or HTTP/1.1, whichever an endpoint chooses by ALPN,"
		}
		if overTLS { // what Explain is asked about may have been built without reading files
			secure = " over TLS"
		}
		add("speaks %s%s with endpoints", version, secure)
	}
	if c.ProxyProtocol != "" && c.ProxyProtocol != cluster.ProxyOff {
		add("tells endpoints the client's address with the PROXY protocol, %s", c.ProxyProtocol)
	}
	out = appendText(out, tries.text(r))
	if c.Hedge.After > 0 && !tries.noHedge && tries.repeats(r) {
		add("a second attempt beside a first one that takes longer than %s", c.Hedge.After)
	}
	if b := c.Breaker; b != (cluster.Breaker{}) {
		var parts []string
		for _, p := range []struct {
			n    int
			what string
		}{{b.Connections, "connections"}, {b.Pending, "waiting requests"}, {b.Requests, "requests"}, {b.Retries, "retries"}} {
			if p.n > 0 {
				parts = append(parts, strconv.Itoa(p.n)+" "+p.what)
			}
		}
		add("circuit breaker: one worker's share is %s at a time", strings.Join(parts, ", "))
	}
	if c.Sticky != nil {
		add("cookie %s binds clients to endpoints", c.Sticky.Name)
	}
	return out
}

func appendText(list []string, text string) []string {
	if text == "" {
		return list
	}
	return append(list, text)
}

// serving says which endpoint of c would serve the request if all of them were healthy, and why; "" and how it is chosen when that depends on more
// than the request. What is computed here is what package upstream does on the way of a request; a test of package server compares them.
func serving(c *cluster.Cluster, r *wire.Request, path []byte, source string) (name, why string) {
	v := balance.Build(c.Endpoints, everyone, viewOptions(c))
	if s := c.Sticky; s != nil {
		if token := cookieValue(r, s.Name); token != nil {
			if e := v.ByToken(token); e != nil {
				return e.Name, "cookie " + string(s.Name) + " names it"
			}
		}
	}
	if len(c.Endpoints) == 1 {
		return c.Endpoints[0].Name, "it is the only one"
	}
	key, value := keyOf(c, r, path, source)
	if value != nil && c.Balance.Hashes() {
		if e := balance.NewPicker(c.Balance, 0).Pick(v, xxhash.Sum64(value)|1, new(balance.Tried), time.Now().UnixNano()); e != nil {
			return e.Name, strings.ReplaceAll(string(c.Balance), "_", " ") + " by " + key + " " + string(value)
		}
	}
	switch {
	case len(c.Endpoints) == 0:
		return "", "no endpoint is known"
	case c.Balance.Hashes() && key != "":
		return "", "the request has no " + key + ", so chance decides"
	}
	return "", strings.ReplaceAll(string(c.Balance), "_", " ") + " decides when it comes"
}

// everyone takes all endpoints for healthy.
func everyone(*endpoint.Endpoint) (bool, float64) { return true, 1 }

func viewOptions(c *cluster.Cluster) balance.Options {
	o := c.Options
	o.Kind = c.Balance
	return o
}

// keyOf is what a hashing balancer goes by.
func keyOf(c *cluster.Cluster, r *wire.Request, path []byte, source string) (name string, value []byte) {
	switch k := &c.Key; k.From {
	case cluster.KeyHeader:
		for i := range r.Fields {
			if f := &r.Fields[i]; wire.EqualFold(f.Name, k.Name) && len(f.Value) > 0 {
				return "header " + string(k.Name), f.Value
			}
		}
		return "header " + string(k.Name), nil
	case cluster.KeyCookie:
		return "cookie " + string(k.Name), cookieValue(r, k.Name)
	case cluster.KeySourceIP:
		if source == "" {
			return "address of a client (--source gives one)", nil
		}
		return "client", []byte(source)
	case cluster.KeyPath:
		return "path", path
	}
	return "", nil
}

func cookieValue(r *wire.Request, name []byte) []byte {
	for i := range r.Fields {
		if r.Fields[i].ID != wire.FieldCookie {
			continue
		}
		for pair := range bytes.SplitSeq(r.Fields[i].Value, []byte(";")) {
			if k, v, ok := bytes.Cut(bytes.TrimSpace(pair), []byte("=")); ok && bytes.Equal(k, name) && len(v) > 0 {
				return v
			}
		}
	}
	return nil
}
