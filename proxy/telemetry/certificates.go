package telemetry

import "time"

// CertificateSample is a certificate that clients of a listener are shown.
type CertificateSample struct {
	Listener, Name string
	NotAfter       time.Time
}

func init() {
	Table = append(Table, Metric{
		Name: "blitz_certificate_expiry_seconds", Kind: KindGauge, Unit: "seconds", Labels: []string{"listener", "name"},
		Help: "When a certificate read from a file expires, since the Unix epoch; the earliest where several have the same first name.",
		process: func(s *Samples, p put) {
			type key struct{ listener, name string }
			first := map[key]bool{}
			for i, c := range s.certificates {
				k := key{c.Listener, c.Name}
				if first[k] {
					continue
				}
				first[k] = true
				end := c.NotAfter
				for _, o := range s.certificates[i+1:] {
					if (key{o.Listener, o.Name}) == k && o.NotAfter.Before(end) {
						end = o.NotAfter
					}
				}
				p(float64(end.Unix()), c.Listener, c.Name)
			}
		},
	})
}
