package snapshot

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

// clusterSessions is how many sessions with endpoints are kept to be resumed, per cluster, all workers together.
const clusterSessions = 256

// clusterTLS reads what a cluster's TLS needs. nil: it has none.
func clusterTLS(c *config.Cluster) (*cluster.TLS, error) {
	t := c.TLS
	if t == nil {
		return nil, nil
	}
	b := tlsconf.Client{Policy: tlsconf.Policy{MinVersion: t.MinVersion, ALPN: alpn(c.Protocol)}, ServerName: t.ServerName, CAFile: t.CA, Insecure: !t.Verify}
	if t.Cert != "" {
		b.Identity = &tlsconf.Certificate{CertFile: t.Cert, KeyFile: t.Key}
	}
	if t.SessionReuse {
		b.Sessions = clusterSessions
	}
	if b.ServerName == "" {
		b.ServerName = "endpoint" // each has its own, see cluster.TLS
	}
	cfg, warnings, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("cluster %s: tls: %w", c.Name, err)
	}
	for _, w := range warnings {
		slog.Warn(w, "cluster", c.Name)
	}
	cfg.ServerName = t.ServerName
	h := sha256.New()
	fmt.Fprintf(h, "%+v %s", *t, c.Protocol)
	for _, file := range []string{t.CA, t.Cert, t.Key} {
		if file != "" {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("cluster %s: tls: %w", c.Name, err)
			}
			fmt.Fprintf(h, " %d ", len(content))
			h.Write(content)
		}
	}
	return &cluster.TLS{Config: cfg, Key: string(h.Sum(nil))}, nil
}

func alpn(protocol string) []string {
	switch protocol {
	case "h2":
		return []string{"h2"}
	case "auto":
		return []string{"h2", "http/1.1"}
	default:
		return []string{"http/1.1"}
	}
}
