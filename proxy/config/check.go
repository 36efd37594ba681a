package config

import (
	"fmt"
	"slices"
	"strings"
)

// check looks for what the form of single values does not show: addresses, names, references and contradictions. Values that the
// decoder already refused are empty here and passed over.
func (d *decoder) check(c *Config) {
	d.checkWorkers(&c.Workers)
	if a := c.Admin.Address; a != "" {
		d.listenAddress(a, "admin", "address")
	}
	d.checkListeners(c)
	d.checkClusters(c.Clusters)
	d.checkRoutes(c)
	for i, f := range c.AccessLog.Fields {
		if f != "" && slices.Contains(c.AccessLog.Fields[:i], f) {
			d.report(fmt.Sprintf("field %q is given twice", f), "expected it once", "access_log", "fields", i)
		}
	}
	if t := c.Admin.Token; t != "" && len(t) < 16 {
		d.report("the token of the admin listener is too short", "expected at least 16 characters", "admin", "token")
	}
	if d.given("access_log", "path") && c.AccessLog.Path == "" {
		d.report("the path of the access log is empty", "expected a file, stdout or stderr, or no path at all", "access_log", "path")
	}
}

// given tells whether the file has a value at path.
func (d *decoder) given(path ...any) bool {
	return d.at(path...) != d.at(path[:len(path)-1]...)
}

func (d *decoder) checkWorkers(w *Workers) {
	if n := len(w.CPUs); n > 0 && int(w.Count) > n {
		d.report(fmt.Sprintf("%d workers for %d CPUs", w.Count, n), "expected at most one worker for each of the cpus", "workers", "count")
	}
	if w.Accept == "cpu" && len(w.CPUs) == 0 {
		d.report("accept: cpu without cpus", "expected workers pinned by cpus, such as cpus: 0-3, for connections to follow", "workers", "accept")
	}
}

// listenAddress checks an address to bind to.
func (d *decoder) listenAddress(s string, path ...any) (Address, bool) {
	a, err := ParseAddress(s)
	if err != nil {
		d.report(fmt.Sprintf("%q is not an address", shorten(s)), err.Error(), path...)
		return a, false
	}
	if _, ok := a.IP(); a.Unix == "" && !ok {
		d.report(fmt.Sprintf("%q is not an IP address", a.Host), "expected an address of this machine, as in 127.0.0.1:8080 or :8080", path...)
		return a, false
	}
	return a, true
}

func (d *decoder) checkListeners(c *Config) {
	type bound struct {
		Address
		name string
	}
	var seen []bound
	names := map[string]int{}
	for i := range c.Listeners {
		l := &c.Listeners[i]
		if l.Name == "" {
			l.Name = l.Address
		}
		if j, twice := names[l.Name]; twice && d.given("listeners", i, "name") {
			d.report(fmt.Sprintf("listener name %q is taken", l.Name), "line "+d.line("listeners", j)+" has it already", "listeners", i, "name")
		} else {
			names[l.Name] = i
		}
		d.checkListener(l, i)
		if l.Address == "" {
			continue
		}
		a, ok := d.listenAddress(l.Address, "listeners", i, "address")
		if !ok {
			continue
		}
		for _, b := range seen {
			if overlap(a, b.Address) {
				d.report(fmt.Sprintf("address %s overlaps with that of listener %q", l.Address, b.name), "expected another address or port", "listeners", i, "address")
				break
			}
		}
		seen = append(seen, bound{a, l.Name})
	}
	if c.Admin.Address == "" {
		return
	}
	if a, err := ParseAddress(c.Admin.Address); err == nil {
		for _, b := range seen {
			if overlap(a, b.Address) {
				d.report(fmt.Sprintf("address %s overlaps with that of listener %q", c.Admin.Address, b.name), "expected another address or port", "admin", "address")
				break
			}
		}
	}
}

func (d *decoder) checkListener(l *Listener, i int) {
	if d.given("listeners", i, "protocols") && len(l.Protocols) == 0 {
		d.report("no protocols", `expected ["h1", "h2"], or one of them`, "listeners", i, "protocols")
	}
	for j, p := range l.Protocols {
		for _, earlier := range l.Protocols[:j] {
			if p == earlier && p != "" {
				d.report(fmt.Sprintf("protocol %q is given twice", p), "expected it once", "listeners", i, "protocols", j)
			}
		}
	}
	d.checkHTTP2(&l.HTTP2, "listeners", i, "http2")
	if l.TLS != nil {
		d.checkTLS(l.TLS, i)
	}
	if l.Limits.RequestLine > l.Limits.HeadSize {
		d.report(fmt.Sprintf("a request line of %v does not fit into a head of %v", l.Limits.RequestLine, l.Limits.HeadSize),
			"expected request_line to be at most head_size", "listeners", i, "limits", "request_line")
	}
	// ServerName also stands in Via, where only a token may (RFC 9110 section 7.6.3).
	if l.ServerName != "" && !isToken(l.ServerName) {
		d.report(fmt.Sprintf("server_name %q cannot stand in a field", shorten(l.ServerName)), "expected letters, digits and - . _ without spaces", "listeners", i, "server_name")
	}
}

// overlap tells whether two sockets cannot be bound at the same time.
func overlap(a, b Address) bool {
	if a.Unix != "" || b.Unix != "" {
		return a.Unix == b.Unix
	}
	if a.Port != b.Port || a.Port == 0 {
		return false
	}
	x, _ := a.IP()
	y, _ := b.IP()
	if x == y {
		return true
	}
	// [::] takes the IPv4 addresses as well.
	all4 := x.IsUnspecified() && x.Is4() && y.Is4() || y.IsUnspecified() && y.Is4() && x.Is4()
	all6 := x.IsUnspecified() && x.Is6() || y.IsUnspecified() && y.Is6()
	return all4 || all6
}

func (d *decoder) checkClusters(clusters []Cluster) {
	names := map[string]int{}
	for i, c := range clusters {
		if j, twice := names[c.Name]; twice && c.Name != "" {
			d.report(fmt.Sprintf("cluster name %q is taken", c.Name), "line "+d.line("clusters", j)+" has it already", "clusters", i, "name")
		} else {
			names[c.Name] = i
		}
		if c.Protocol == "h2" && c.ProxyProtocol != "off" {
			d.report("a PROXY protocol header describes one client, and HTTP/2 connections serve many", "expected proxy_protocol: off, or protocol: h1", "clusters", i, "proxy_protocol")
		}
		if c.Protocol == "auto" && c.TLS == nil {
			d.report("protocol auto without TLS: there is nobody to ask", "expected tls, or protocol: h1 or h2", "clusters", i, "protocol")
		}
		d.checkClusterTLS(&clusters[i], i)
		if c.Protocol == "h1" && d.given("clusters", i, "http2") {
			d.report("http2 without HTTP/2", "expected protocol: h2", "clusters", i, "http2")
		}
		d.checkCluster(&clusters[i], i)
		seen := map[string]bool{}
		for j, e := range c.Endpoints {
			if e.Address == "" {
				continue
			}
			path := []any{"clusters", i, "endpoints", j, "address"}
			a, err := ParseAddress(e.Address)
			switch {
			case err != nil:
				d.report(fmt.Sprintf("%q is not an address", shorten(e.Address)), err.Error(), path...)
			case a.Unix == "" && a.Host == "":
				d.report(fmt.Sprintf("endpoint %q has no host", e.Address), "expected one, as in 127.0.0.1"+e.Address, path...)
			case a.Unix == "" && a.Port == 0:
				d.report(fmt.Sprintf("endpoint %q has port 0", e.Address), "expected a port between 1 and 65535", path...)
			case seen[e.Address]:
				d.report(fmt.Sprintf("endpoint %s is given twice", e.Address), "expected it once, with a larger weight if it shall get more", path...)
			}
			seen[e.Address] = true
		}
		switch {
		case c.MaxConnections == 0 || c.MaxIdle <= c.MaxConnections:
		case !d.given("clusters", i, "max_idle"):
			clusters[i].MaxIdle = c.MaxConnections
		default:
			d.report(fmt.Sprintf("max_idle %d is more than max_connections %d", c.MaxIdle, c.MaxConnections), "expected at most max_connections", "clusters", i, "max_idle")
		}
	}
}

// line is the line of the value at path, for "line N has it already".
func (d *decoder) line(path ...any) string {
	n := d.at(path...)
	if len(d.files) > 1 { // the message may be about another one
		return fmt.Sprintf("%d of %s", n.line, d.files[n.file])
	}
	return fmt.Sprint(n.line)
}

// isToken is the token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	for _, c := range []byte(s) {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !alnum && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
