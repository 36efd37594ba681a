package config

import "fmt"

// checkTLS looks for contradictions in the TLS of listener i.
func (d *decoder) checkTLS(t *ListenerTLS, i int) {
	at := func(path ...any) []any { return append([]any{"listeners", i, "tls"}, path...) }
	if len(t.Certificates) == 0 && !t.SelfSigned {
		d.report("TLS without a certificate", "expected certificates, or self_signed: true", at()...)
	}
	if t.SelfSigned && len(t.Certificates) > 0 {
		d.report("self_signed next to certificates", "expected one of the two", at("self_signed")...)
	}
	for j, c := range t.Certificates {
		for k, earlier := range t.Certificates[:j] {
			if c.Cert == earlier.Cert && c.Cert != "" {
				d.report(fmt.Sprintf("certificate %s is given twice", shorten(c.Cert)), "line "+d.line(at("certificates", k)...)+" has it already", at("certificates", j, "cert")...)
				break
			}
		}
	}
	switch a := t.ClientAuth; {
	case a.Mode == "none" && a.CA != "":
		d.report("authorities for certificates of clients, but mode is none", "expected mode request or require", at("client_auth", "ca")...)
	case a.Mode == "none" && a.Forward:
		d.report("certificates of clients are to be forwarded, but mode is none", "expected mode request or require", at("client_auth", "forward")...)
	case a.Mode != "none" && a.Mode != "" && a.CA == "":
		d.report("certificates of clients are asked for, but there is no authority to trust", "expected ca, a file in PEM", at("client_auth")...)
	}
	if !t.Tickets.Enabled && t.Tickets.KeyFile != "" {
		d.report("keys for session tickets, but tickets are off", "expected enabled: true, or no key_file", at("tickets", "key_file")...)
	}
	for _, list := range []struct {
		name  string
		words []string
	}{{"cipher_suites", t.CipherSuites}, {"curves", t.Curves}} {
		if d.given(at(list.name)...) && len(list.words) == 0 {
			d.report("no "+list.name, "expected at least one, or no "+list.name+" at all", at(list.name)...)
		}
	}
	if t.MinVersion == "1.3" && len(t.CipherSuites) > 0 {
		d.report("cipher_suites are those of TLS 1.2, which min_version excludes", "expected min_version 1.2, or no cipher_suites", at("cipher_suites")...)
	}
}
