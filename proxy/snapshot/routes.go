package snapshot

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// manyReplaced is how many routes may match otherwise than before for the table to be changed and not built.
const manyReplaced = 512

// Rules are what Table was built from, by route.ID. They are made when somebody wants to see them. The caller must not change them.
func (s *Snapshot) Rules() []route.Rule { return s.rules() }

// routesFrom fills in Actions and Table. What the configuration has taken over from prev, which may be nil, is taken over here, too.
func (s *Snapshot) routesFrom(c *config.Config, prev *Snapshot) error {
	head, tail := c.Unchanged(prev.Config())
	from, to := head, len(c.Routes)-tail
	s.Actions = make([]Action, len(c.Routes))
	byName := make(map[string]int, len(s.Clusters))
	for i, cl := range s.Clusters {
		byName[cl.Name] = i
	}
	if head+tail > 0 {
		s.takeOver(from, to, prev, byName)
	}
	var errs []error
	for i := from; i < to; i++ {
		if err := s.action(&s.Actions[i], c.Routes[i], byName); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return s.table(c, head, tail, prev)
}

// takeOver fills in the actions outside of from and to, which are those of prev.
func (s *Snapshot) takeOver(from, to int, prev *Snapshot, byName map[string]int) {
	copy(s.Actions[:from], prev.Actions)
	copy(s.Actions[to:], prev.Actions[len(prev.Actions)-(len(s.Actions)-to):])
	if slices.Equal(s.Clusters, prev.Clusters) {
		return
	}
	index := make([]int, len(prev.Clusters))
	for i, was := range prev.Clusters {
		index[i] = byName[was.Name] // every one is there, see config.Config.Unchanged
	}
	for _, part := range [][]Action{s.Actions[:from], s.Actions[to:]} {
		for i := range part {
			s.retarget(&part[i], index)
		}
	}
}

// retarget points an action to the clusters of s in place of those of the snapshot before; index has their places.
func (s *Snapshot) retarget(a *Action, index []int) {
	if a.ClusterIndex >= 0 {
		a.ClusterIndex = index[a.ClusterIndex]
		a.Cluster = s.Clusters[a.ClusterIndex]
	}
	t := a.Traffic
	if t == nil || len(t.Split.Parts) == 0 && t.Mirror == nil {
		return
	}
	next := *t
	next.Split.Parts = slices.Clone(t.Split.Parts)
	for i := range next.Split.Parts {
		p := &next.Split.Parts[i]
		p.Index = index[p.Index]
		p.Cluster = s.Clusters[p.Index]
	}
	if t.Mirror != nil {
		m := *t.Mirror
		m.Index = index[m.Index]
		m.Cluster = s.Clusters[m.Index]
		next.Mirror = &m
	}
	a.Traffic = &next
}

// table makes the table of the routes of c, of which head at the beginning and tail at the end are those of prev.
func (s *Snapshot) table(c *config.Config, head, tail int, prev *Snapshot) error {
	if prev != nil && prev.Table != nil {
		was, is := prev.config.Routes, c.Routes
		// Only what lies between them is to be compared.
		short := min(len(was), len(is))
		tail = min(tail, short-head)
		for head+tail < short && was[head].Match.Equal(&is[head].Match) {
			head++
		}
		for head+tail < short && was[len(was)-1-tail].Match.Equal(&is[len(is)-1-tail].Match) {
			tail++
		}
		if head+tail == len(was) && head+tail == len(is) {
			s.Table = prev.Table
			return nil
		}
		was, is = was[head:len(was)-tail], is[head:len(is)-tail]
		if len(was)+len(is) <= manyReplaced {
			removed, err := rules(was, head)
			if err != nil {
				return err
			}
			added, err := rules(is, head)
			if err != nil {
				return err
			}
			if s.Table = prev.Table.Replace(route.ID(head), removed, added); s.Table != nil {
				return nil
			}
		}
	}
	all, err := rules(c.Routes, 0)
	if err != nil {
		return err
	}
	s.Table, err = route.Build(all)
	return err
}

// rules are what the routes match; the first has the ID first.
func rules(routes []*config.Route, first int) ([]route.Rule, error) {
	out := make([]route.Rule, len(routes))
	var errs []error
	for i, r := range routes {
		out[i] = route.Rule{ID: route.ID(first + i), Host: r.Match.Host, Path: r.Match.Path, Methods: r.Match.Methods}
		var err error
		if out[i].Conditions, err = conditions(&r.Match); err != nil {
			errs = append(errs, fmt.Errorf("route %s: %w", r.Name, err))
		}
		if r.Match.PathRegex != "" {
			if out[i].Regex, err = route.WholeRegex(r.Match.PathRegex); err != nil {
				errs = append(errs, fmt.Errorf("route %s: %w", r.Name, err))
			}
		}
	}
	return out, errors.Join(errs...)
}

// action fills in what a route does.
func (s *Snapshot) action(a *Action, r *config.Route, byName map[string]int) error {
	*a = Action{
		Name: r.Name, ClusterIndex: -1, Echo: r.Echo, MaxBody: int64(r.MaxBody), AllowUpgrade: r.AllowUpgrade, BufferRequest: int(r.BufferRequest),
		FirstByteTimeout: time.Duration(r.Timeouts.FirstByte), IdleTimeout: time.Duration(r.Timeouts.Idle),
	}
	var err error
	if a.Traffic, err = s.traffic(r, byName); err != nil {
		return err
	}
	if r.Respond != nil {
		a.Respond = renderRespond(r.Respond, a.Traffic)
	}
	if r.Cluster != "" {
		index, ok := byName[r.Cluster]
		if !ok {
			return fmt.Errorf("route %s: unknown cluster %q", r.Name, r.Cluster)
		}
		a.Cluster, a.ClusterIndex = s.Clusters[index], index
	}
	return nil
}
