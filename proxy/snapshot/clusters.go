package snapshot

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

// policies fills in what says how the endpoints of a cluster are used and kept. workers is how many share the limits; without files, none is read.
func policies(cl *cluster.Cluster, c *config.Cluster, workers int, files bool) error {
	cl.Options = balance.Options{Zone: c.Zone, SpillBelow: c.SpillBelow, Panic: c.PanicThreshold.Percent, PanicFail: c.PanicThreshold.Action == "fail"}
	cl.Key = key(c.Hash)
	if s := c.Sticky; s != nil {
		cl.Sticky = &cluster.Sticky{
			Name: []byte(s.Cookie), Secret: []byte(s.Secret), MaxAge: time.Duration(s.MaxAge), Secure: s.Secure, SameSite: s.SameSite,
		}
		if s.Secret == "" {
			cl.Sticky.Secret = []byte(c.Name)
		}
	}
	cl.Retry = retry(&c.Retry)
	cl.Hedge.After = time.Duration(c.Hedge.After)
	share := func(n int) int { return (n + workers - 1) / workers } // 0 stays 0, anything else is at least 1
	b := &c.CircuitBreaker
	cl.Breaker = cluster.Breaker{
		Connections: share(b.MaxConnections), Pending: share(b.MaxPending), Requests: share(b.MaxRequests), Retries: share(b.MaxRetries),
	}
	cl.Upkeep.SlowStart = time.Duration(c.SlowStart)
	if cl.Upkeep.Discovery = discovery(c.Discovery); c.Discovery != nil {
		cl.Upkeep.ParseList = parseList(c.Discovery.File)
	}
	if o := c.Outlier; o != nil {
		cl.Upkeep.Outlier = &cluster.Outlier{
			ConsecutiveServer: uint32(o.Consecutive5xx), ConsecutiveGateway: uint32(o.ConsecutiveGateway), ConsecutiveConnect: uint32(o.ConsecutiveConnect),
			Interval: time.Duration(o.Interval), SuccessRateFactor: o.SuccessRateFactor, SuccessRateVolume: o.SuccessRateVolume,
			SuccessRateHosts: o.SuccessRateHosts, BaseEjection: time.Duration(o.BaseEjection), MaxEjection: time.Duration(o.MaxEjection), MaxPercent: o.MaxPercent,
		}
	}
	h, err := healthCheck(c.HealthCheck, files)
	if err != nil {
		return fmt.Errorf("cluster %s: health_check: %w", c.Name, err)
	}
	cl.Upkeep.Health = h
	return nil
}

func key(h *config.Hash) cluster.Key {
	switch {
	case h == nil:
	case h.Header != "":
		return cluster.Key{From: cluster.KeyHeader, Name: []byte(h.Header)}
	case h.Cookie != "":
		return cluster.Key{From: cluster.KeyCookie, Name: []byte(h.Cookie)}
	case h.Source:
		return cluster.Key{From: cluster.KeySourceIP}
	case h.Path:
		return cluster.Key{From: cluster.KeyPath}
	}
	return cluster.Key{}
}

func discovery(d *config.Discovery) *cluster.Discovery {
	if d == nil {
		return nil
	}
	out := &cluster.Discovery{
		Server: d.Server, MinTTL: time.Duration(d.MinInterval), MaxTTL: time.Duration(d.MaxInterval), StaleFor: time.Duration(d.StaleIfError),
	}
	switch {
	case d.DNS != "":
		a, _ := config.ParseAddress(d.DNS) // config has checked it
		out.Kind, out.Name, out.Port = cluster.DiscoverDNS, a.Host, a.Port
	case d.SRV != "":
		out.Kind, out.Name = cluster.DiscoverSRV, d.SRV
	default:
		out.Kind, out.Path = cluster.DiscoverFile, d.File
	}
	return out
}

func healthCheck(h *config.HealthCheck, files bool) (*cluster.HealthCheck, error) {
	if h == nil {
		return nil, nil
	}
	out := &cluster.HealthCheck{
		Protocol: cluster.Protocol(h.Protocol), Interval: time.Duration(h.Interval), Timeout: time.Duration(h.Timeout), Jitter: h.Jitter,
		Healthy: h.Healthy, Unhealthy: h.Unhealthy, Path: h.Path, Host: h.Host, Body: h.Body, Service: h.Service, Port: uint16(h.Port),
	}
	for _, s := range h.Statuses {
		low, high, _ := config.ParseStatuses(s) // config has checked it
		out.Statuses = append(out.Statuses, [2]int{low, high})
	}
	if !h.TLS {
		return out, nil
	}
	out.TLS = &tls.Config{ServerName: h.ServerName, InsecureSkipVerify: h.Insecure, MinVersion: tls.VersionTLS12}
	if h.CA != "" && files {
		pem, err := os.ReadFile(h.CA)
		if err != nil {
			return nil, err
		}
		out.TLS.RootCAs = x509.NewCertPool()
		if !out.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", h.CA)
		}
	}
	return out, nil
}
