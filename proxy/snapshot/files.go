package snapshot

import (
	"errors"
	"os"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/proxy/config"
)

// file is what a file looked like just before it was read. Links are followed, so one that leads elsewhere is another file.
type file struct {
	name string
	info os.FileInfo // nil: there was none
	// fresh: it had been written just then, so it may have been written again without looking different.
	fresh bool
}

// freshFor is how long after it was written a file may change without a difference in its time, whose steps can be as long as those of the kernel's clock.
const freshFor = 50 * time.Millisecond

// look looks at files, those without a name left out. One that is missing is found by whoever reads it.
func look(names ...string) (files []file) {
	for _, name := range names {
		if name == "" {
			continue
		}
		f := file{name: name}
		if info, err := os.Stat(name); err == nil {
			f.info, f.fresh = info, time.Since(info.ModTime()).Abs() < freshFor
		}
		files = append(files, f)
	}
	return files
}

// same tells whether files certainly are what they were.
func same(before, now []file) bool {
	return slices.EqualFunc(before, now, func(a, b file) bool {
		return a.name == b.name && !a.fresh && a.info != nil && b.info != nil && os.SameFile(a.info, b.info) &&
			a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
	})
}

// listenerFiles are the files that the TLS of a listener is made of.
func listenerFiles(c *config.ListenerTLS) []string {
	var names []string
	for _, cert := range c.Certificates {
		names = append(names, cert.Cert, cert.Key, cert.OCSP)
	}
	return append(names, c.ClientAuth.CA, c.Tickets.KeyFile)
}

// clusterFiles are the files that a cluster is made of. Lists of endpoints are looked after by package keeper.
func clusterFiles(c *config.Cluster) (names []string) {
	if t := c.TLS; t != nil {
		names = append(names, t.CA, t.Cert, t.Key)
	}
	if h := c.HealthCheck; h != nil {
		names = append(names, h.CA)
	}
	return names
}

// Files are the names of the files that the snapshot was made from, beside the configuration itself: certificates, keys, authorities,
// staples, keys of tickets, of listeners and of clusters. When one of them changes, Rebuild makes new objects of what it stands for.
func (s *Snapshot) Files() []string { return filesOf(s.config) }

func filesOf(c *config.Config) (names []string) {
	add := func(list []string) {
		for _, name := range list {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for i := range c.Listeners {
		if t := c.Listeners[i].TLS; t != nil {
			add(listenerFiles(t))
		}
	}
	for i := range c.Clusters {
		add(clusterFiles(&c.Clusters[i]))
	}
	return names
}

// Sources are all files that s was made from, the configuration included.
func (s *Snapshot) Sources() config.Files {
	f := s.config.Files()
	f.Names = append(slices.Clip(f.Names), s.Files()...)
	return f
}

// Files are those that a configuration is made from.
type Files = config.Files

// loadError is why a configuration could not be loaded, with the files that were looked at.
type loadError struct {
	error
	files config.Files
}

func (e *loadError) Unwrap() error { return e.error }

// SourcesOf are the files that were looked at before err came out of Load: a change of one of them may mend it.
func SourcesOf(err error) config.Files {
	if e := (*loadError)(nil); errors.As(err, &e) {
		return e.files
	}
	return config.FilesOf(err)
}
