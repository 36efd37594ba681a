package config

import "fmt"

// checkClusterTLS looks for what does not go together. Whether the files are there and fit is seen when the snapshot is built.
func (d *decoder) checkClusterTLS(c *Cluster, i int) {
	t := c.TLS
	if t == nil {
		return
	}
	for _, key := range []struct{ name, value string }{{"ca", t.CA}, {"cert", t.Cert}, {"key", t.Key}, {"server_name", t.ServerName}} {
		if key.value == "" && d.given("clusters", i, "tls", key.name) {
			d.report(key.name+" is empty", "expected a value, or no "+key.name+" at all", "clusters", i, "tls", key.name)
		}
	}
	if c.ProxyProtocol != "off" {
		d.report("a PROXY protocol header and TLS", "expected proxy_protocol: off, or no tls", "clusters", i, "proxy_protocol")
	}
	if t.Cert != "" && t.Key == "" {
		d.report("a certificate without its key", "expected key as well", "clusters", i, "tls", "cert")
	}
	if t.Key != "" && t.Cert == "" {
		d.report("a key without its certificate", "expected cert as well", "clusters", i, "tls", "key")
	}
	if t.CA != "" && !t.Verify {
		d.report("ca is not used with verify: false", "expected one of the two", "clusters", i, "tls", "ca")
	}
	if t.ServerName != "" || !t.Verify {
		return
	}
	for j, e := range c.Endpoints {
		if a, err := ParseAddress(e.Address); err == nil && a.Unix != "" {
			d.report(fmt.Sprintf("endpoint %s has no name that its certificate could be for", e.Address), "expected server_name in tls", "clusters", i, "endpoints", j, "address")
		}
	}
}
