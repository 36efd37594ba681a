package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// checkCluster looks at what clusters can be told beside their endpoints.
func (d *decoder) checkCluster(c *Cluster, i int) {
	at := func(path ...any) []any { return append([]any{"clusters", i}, path...) }
	if len(c.Endpoints) == 0 && c.Discovery == nil && !d.misspelt[resolve(d.at("clusters", i))] && !d.refused("clusters", i, "endpoints") {
		d.report("the cluster has no endpoints", "expected a list of endpoints, or discovery", at()...)
	}
	hashes := c.Balance == "ring_hash" || c.Balance == "maglev"
	switch h := c.Hash; {
	case h != nil && count(h.Header != "", h.Cookie != "", h.Source, h.Path) != 1:
		d.report("a hash needs exactly one of header, cookie, source and path", "expected one, as in hash: {header: x-user}", at("hash")...)
	case h != nil && !isToken(h.Header+h.Cookie+"x"):
		d.report(fmt.Sprintf("%q cannot be the name of a header or cookie", shorten(h.Header+h.Cookie)), "expected letters, digits and - . _ without spaces", at("hash")...)
	case h != nil && !hashes && c.Balance != "":
		d.report("hash means nothing with balance "+c.Balance, "expected ring_hash or maglev", at("hash")...)
	case h == nil && hashes:
		d.report("balance "+c.Balance+" needs a hash", "expected what of a request decides, as in hash: {header: x-user}", at("balance")...)
	}
	if c.SlowStart > 0 && hashes {
		d.report("slow_start means nothing with balance "+c.Balance, "expected another balance, or no slow_start", at("slow_start")...)
	}
	if s := c.Sticky; s != nil {
		if s.Cookie != "" && !isToken(s.Cookie) {
			d.report(fmt.Sprintf("%q cannot be the name of a cookie", shorten(s.Cookie)), "expected letters, digits and - . _ without spaces", at("sticky", "cookie")...)
		}
		if s.SameSite == "none" && !s.Secure {
			d.report("browsers refuse a cookie with same_site none that is not secure", "expected secure: true beside it", at("sticky", "same_site")...)
		}
	}
	if dis := c.Discovery; dis != nil {
		d.checkDiscovery(dis, at("discovery"))
	}
	if h := c.HealthCheck; h != nil {
		d.checkHealth(h, at("health_check"))
	}
	if o := c.Outlier; o != nil && o.MaxEjection < o.BaseEjection {
		d.report(fmt.Sprintf("base_ejection %v is longer than max_ejection %v", o.BaseEjection, o.MaxEjection), "expected it to be at most that", at("outlier")...)
	}
	if after := c.Hedge.After; after > 0 && after >= c.Timeouts.FirstByte && c.Timeouts.FirstByte > 0 {
		d.report(fmt.Sprintf("a second attempt after %v never starts: the timeout first_byte is %v", after, c.Timeouts.FirstByte), "expected a shorter time", at("hedge", "after")...)
	}
	if d.given(at("retry")...) {
		d.checkRetry(&c.Retry, c.Timeouts.FirstByte, at("retry")...)
	}
}

func (d *decoder) checkDiscovery(dis *Discovery, at []any) {
	below := func(key string) []any { return append(append([]any(nil), at...), key) }
	if count(dis.DNS != "", dis.SRV != "", dis.File != "") != 1 {
		d.report("discovery needs exactly one of dns, srv and file", "expected one, as in discovery: {dns: api.internal:8080}", at...)
	}
	if dis.DNS != "" {
		a, err := ParseAddress(dis.DNS)
		if _, isIP := a.IP(); err != nil || a.Unix != "" || a.Host == "" || a.Port == 0 || isIP {
			d.report(fmt.Sprintf("%q is not a host name with a port", shorten(dis.DNS)), "expected one, as in api.internal:8080", below("dns")...)
		}
	}
	if dis.SRV != "" && !validHostName(dis.SRV) {
		d.report(fmt.Sprintf("%q is not the name of a service", shorten(dis.SRV)), "expected one, as in _http._tcp.api.internal", below("srv")...)
	}
	if dis.Server != "" {
		if a, err := netip.ParseAddrPort(dis.Server); err != nil || a.Port() == 0 {
			d.report(fmt.Sprintf("%q is not the address of a name server", shorten(dis.Server)), "expected an IP address and a port, as in 127.0.0.1:53", below("server")...)
		}
	}
	if dis.MinInterval > dis.MaxInterval {
		d.report(fmt.Sprintf("min_interval %v is longer than max_interval %v", dis.MinInterval, dis.MaxInterval), "expected it to be at most that", below("min_interval")...)
	}
}

func (d *decoder) checkHealth(h *HealthCheck, at []any) {
	below := func(key ...any) []any { return append(append([]any(nil), at...), key...) }
	if !strings.HasPrefix(h.Path, "/") || strings.ContainsFunc(h.Path, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }) {
		d.report(fmt.Sprintf("%q is not a path", shorten(h.Path)), "expected one that begins with /, without spaces", below("path")...)
	}
	if strings.ContainsFunc(h.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		d.report(fmt.Sprintf("%q is not a host", shorten(h.Host)), "expected a name, with a port if need be", below("host")...)
	}
	if h.Protocol == "http" && len(h.Statuses) == 0 {
		d.report("no statuses", `expected some, as in ["200-299"]`, below("statuses")...)
	}
	for j, s := range h.Statuses {
		if _, _, ok := ParseStatuses(s); !ok {
			d.report(fmt.Sprintf("%q is not a status", shorten(s)), "expected one, or a range such as 200-299", below("statuses", j)...)
		}
	}
	if !h.TLS {
		for key, set := range map[string]bool{"server_name": h.ServerName != "", "ca": h.CA != "", "insecure": h.Insecure} {
			if set {
				d.report(key+" means nothing without TLS", "expected tls: true beside it", below(key)...)
			}
		}
	}
	if h.Protocol != "http" {
		for _, key := range []string{"path", "host", "statuses", "body"} {
			if d.given(below(key)...) {
				d.report(key+" means nothing for protocol "+h.Protocol, "expected protocol http", below(key)...)
			}
		}
	}
	if h.Protocol != "grpc" && h.Service != "" {
		d.report("service means nothing for protocol "+h.Protocol, "expected protocol grpc", below("service")...)
	}
}

// ParseStatuses parses a status, or a range of them, both ends inclusive.
func ParseStatuses(s string) (low, high int, ok bool) {
	first, last, isRange := strings.Cut(s, "-")
	low, err := strconv.Atoi(first)
	high = low
	if err == nil && isRange {
		high, err = strconv.Atoi(last)
	}
	return low, high, err == nil && low >= 100 && high <= 599 && low <= high
}

func count(of ...bool) (n int) {
	for _, x := range of {
		if x {
			n++
		}
	}
	return n
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// refused tells whether there is a problem already with the value at path, or with something in it.
func (d *decoder) refused(path ...any) bool {
	if !d.given(path...) {
		return false
	}
	n := resolve(d.at(path...))
	return n.kind != sequence || len(n.items) > 0
}
