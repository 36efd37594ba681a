package snapshot

import (
	"errors"
	"net"
	"reflect"
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

// Rebuild makes the snapshot that follows prev. Whatever the configuration describes as before is taken over as the same object, by
// which workers know that connections, health and tables stay: clusters one by one, the routes all together. prev may be nil.
func Rebuild(c *config.Config, prev *Snapshot, generation uint64) (*Snapshot, error) {
	return build(c, generation, net.DefaultResolver, prev)
}

// Load reads, checks and builds the configuration file that follows prev.
func Load(file string, prev *Snapshot, generation uint64) (*Snapshot, error) {
	c, err := config.LoadAfter(file, prev.Config())
	if err != nil {
		return nil, err
	}
	s, err := Rebuild(c, prev, generation)
	if err != nil {
		files := c.Files()
		files.Names = append(files.Names, filesOf(c)...)
		return nil, &loadError{err, files}
	}
	return s, nil
}

// Parse is Load for the content of a file; name stands for the file in messages.
func Parse(name string, data []byte, prev *Snapshot, generation uint64) (*Snapshot, error) {
	c, err := config.ParseAfter(name, data, prev.Config())
	if err != nil {
		return nil, err
	}
	return Rebuild(c, prev, generation)
}

// clustersFrom builds the clusters of c, those that prev has in the same form taken from there. files is what theirs look like. Names of their endpoints are not looked up
// again.
func clustersFrom(c *config.Config, r Resolver, prev *Snapshot, workers int, files [][]file) ([]*cluster.Cluster, error) {
	if prev == nil || prev.config == nil {
		return clusters(c.Clusters, r, workers)
	}
	old := make(map[string]int, len(prev.config.Clusters))
	for i := range prev.config.Clusters {
		old[prev.config.Clusters[i].Name] = i
	}
	out := make([]*cluster.Cluster, len(c.Clusters))
	var fresh []config.Cluster
	var at []int
	for i := range c.Clusters {
		j, ok := old[c.Clusters[i].Name]
		if ok && same(prev.files[j], files[i]) && reflect.DeepEqual(&c.Clusters[i], &prev.config.Clusters[j]) {
			out[i] = prev.Clusters[j]
			continue
		}
		fresh = append(fresh, c.Clusters[i])
		at = append(at, i)
	}
	built, err := clusters(fresh, r, workers)
	if err != nil {
		return nil, err
	}
	if len(built) != len(fresh) {
		return nil, errors.New("clusters: not all of them could be built")
	}
	for i, cl := range built {
		if j, ok := old[cl.Name]; ok {
			cl.Inherit(prev.Clusters[j])
		}
		out[at[i]] = cl
	}
	return out, nil
}

func accessLog(l *config.AccessLog) AccessLog {
	return AccessLog{Path: l.Path, Format: l.Format, Fields: l.Fields, Sample: float64(l.Sample), Slow: time.Duration(l.Slow)}
}

// ConfigYAML is the configuration that the snapshot was built from, as package config writes it: with every default, and with references in place of
// what they stand for.
func (s *Snapshot) ConfigYAML() []byte { return config.YAML(s.config) }
