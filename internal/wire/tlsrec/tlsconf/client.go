package tlsconf

import (
	"crypto/tls"
	"errors"
	"time"
)

// Client describes the side that connects: to an upstream, or to what is measured.
type Client struct {
	Policy Policy
	// ServerName is what is asked for (SNI) and what the certificate must be for; needed unless Insecure.
	ServerName string
	// CAFile holds the authorities that are trusted, in PEM; empty means those of the operating system.
	CAFile string
	// Insecure accepts any certificate.
	Insecure bool
	// Identity is shown to servers that ask for a certificate; nil for none.
	Identity *Certificate
	// Sessions is how many sessions are kept to be resumed; 0 keeps none.
	Sessions int
}

// Build reads the files. Warnings are for the log.
func (c *Client) Build() (cfg *tls.Config, warnings []string, err error) {
	cfg = &tls.Config{ServerName: c.ServerName, InsecureSkipVerify: c.Insecure}
	if err := c.Policy.apply(cfg); err != nil {
		return nil, nil, err
	}
	if c.ServerName == "" && !c.Insecure {
		return nil, nil, errors.New("a TLS client needs the name of the server, to check its certificate against")
	}
	if c.CAFile != "" {
		if cfg.RootCAs, err = pool(c.CAFile); err != nil {
			return nil, nil, err
		}
	}
	if c.Identity != nil {
		pair, warned, err := c.Identity.load(time.Now())
		if err != nil {
			return nil, nil, err
		}
		cfg.Certificates = []tls.Certificate{*pair}
		warnings = warned
	}
	if c.Sessions > 0 {
		cfg.ClientSessionCache = tls.NewLRUClientSessionCache(c.Sessions)
	}
	return cfg, warnings, nil
}
