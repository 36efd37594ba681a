package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/admin"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// applyTimeout bounds how long a worker may take to put a snapshot in force. It is not waited for any longer, and does it later.
const applyTimeout = 5 * time.Second

// Errors of Publish.
var (
	// ErrNeedsUpgrade is wrapped when a change concerns what a running process cannot change about itself.
	ErrNeedsUpgrade = errors.New("only a new process can change that: run blitz upgrade, or restart")
	// ErrDraining is returned once the end has begun.
	ErrDraining = errors.New("the gateway is draining")
)

// Publish puts a snapshot in force on all workers. It does so wholly or not at all: everything that can fail is done first. When it
// returns without an error, every request that arrives is served under the new snapshot.
func (s *Server) Publish(next *snapshot.Snapshot) error {
	s.change.Lock()
	defer s.change.Unlock()
	now := s.snap.Load()
	switch {
	case s.draining:
		return ErrDraining
	case s.successor:
		return ErrUpgrading
	}
	if err := sameProcess(&now.Workers, &next.Workers); err != nil {
		return err
	}
	sockets, bound, err := bind(next, s.bound, nil)
	if err != nil {
		return err
	}
	log, newLog, err := s.nextLog(now, next)
	if err != nil {
		closeAll(sockets...)
		return err
	}
	if err := s.moveAdmin(now, next); err != nil {
		closeAll(sockets...)
		if newLog && log != nil {
			closeLog(log)
		}
		return err
	}

	s.keeper.Prime(context.Background(), next.Clusters)
	counted := names(next, now, s.names)
	applied := make(chan struct{}, len(s.workers))
	waiting := 0
	for i, w := range s.workers {
		c := &worker.Change{Snapshot: next, Sockets: sockets[i], NewLog: newLog, Grace: next.DrainIdle, Scope: s.published[i].Scope(counted)}
		if newLog && log != nil {
			c.Log = log.NewWriter(w.Post)
		}
		if w.Post(func() { w.Apply(c); applied <- struct{}{} }) {
			waiting++
		} else {
			closeAll(sockets[i])
		}
	}
	late := time.NewTimer(applyTimeout)
	defer late.Stop()
	for ; waiting > 0; waiting-- {
		select {
		case <-applied:
			continue
		case <-late.C:
			slog.Error("a worker is slow to take the new configuration", "workers", waiting)
		}
		break
	}
	s.snap.Store(next)
	s.keep(next)
	s.bound, s.names = bound, counted
	if newLog {
		if old := s.log; old != nil && waiting == 0 {
			closeLog(old) // its writers are gone
		}
		s.log = log
		s.registry.SetAccessLog(log)
	}
	return nil
}

// sameProcess refuses what is fixed when the workers start.
func sameProcess(now, next *snapshot.Workers) error {
	var what string
	switch {
	case now.Count != next.Count:
		what = fmt.Sprintf("workers.count is %d and would be %d", now.Count, next.Count)
	case now.Engine != next.Engine:
		what = fmt.Sprintf("workers.engine is %s and would be %s", now.Engine, next.Engine)
	case !slices.Equal(now.CPUs, next.CPUs):
		what = fmt.Sprintf("workers.cpus is %v and would be %v", now.CPUs, next.CPUs)
	case now.SteerByCPU != next.SteerByCPU:
		what = "workers.accept would be another"
	case now.BusyPoll != next.BusyPoll:
		what = fmt.Sprintf("workers.busy_poll is %v and would be %v", now.BusyPoll, next.BusyPoll)
	case now.Buffers != next.Buffers:
		what = fmt.Sprintf("workers.buffers is %d bytes and would be %d", now.Buffers, next.Buffers)
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", what, ErrNeedsUpgrade)
}

// nextLog opens the access log of the next snapshot, when it is another one.
func (s *Server) nextLog(now, next *snapshot.Snapshot) (log *telemetry.AccessLog, changed bool, err error) {
	if now.AccessLog.Equal(&next.AccessLog) {
		return nil, false, nil
	}
	log, err = openLog(&next.AccessLog)
	return log, true, err
}

// openLog opens an access log; nil without an error when there shall be none.
func openLog(l *snapshot.AccessLog) (*telemetry.AccessLog, error) {
	if l.Path == "" {
		return nil, nil
	}
	return telemetry.OpenLog(telemetry.LogOptions{Path: l.Path, Format: l.Format, Fields: l.Fields, Sample: l.Sample, Slow: l.Slow})
}

func closeLog(l *telemetry.AccessLog) {
	ctx, cancel := context.WithTimeout(context.Background(), applyTimeout)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		slog.Error("access log", "error", err)
	}
}

// moveAdmin makes the admin listener that next asks for.
func (s *Server) moveAdmin(now, next *snapshot.Snapshot) error {
	same := now.Admin == nil && next.Admin == nil || now.Admin != nil && next.Admin != nil && *now.Admin == *next.Admin
	if same {
		return nil
	}
	var a *admin.Server
	if next.Admin != nil {
		var err error
		if a, err = s.startAdmin(*next.Admin, nil); err != nil {
			return fmt.Errorf("admin: %w", err)
		}
	}
	if s.admin != nil {
		s.admin.Close()
	}
	s.admin = a
	return nil
}

// startAdmin starts the listener for operators, on the socket of the process before when it listens on that address. Whoever reaches it reads everything, profiles
// included, so that one which others than this machine may reach is worth a warning.
func (s *Server) startAdmin(a loop.Addr, from *Handover) (*admin.Server, error) {
	if a.Unix == "" && !a.TCP.Addr().IsLoopback() {
		slog.Warn("the admin listener is not on a loopback address: whoever reaches it can read everything there", "address", a.TCP.String())
	}
	o := admin.Options{Registry: s.registry, Endpoints: s.adminEndpoints(), Token: func() string { return s.snap.Load().AdminToken }}
	if from != nil && from.admin != nil {
		l := from.admin
		if at := l.Addr().String(); at == a.Unix || at == a.TCP.String() {
			from.admin = nil
			return admin.StartOn(l, o), nil
		}
	}
	return admin.Start(a, o)
}

// names are what is counted by in a snapshot. They are those of the one before when nothing has another name.
func names(next, prev *snapshot.Snapshot, was *telemetry.Names) *telemetry.Names {
	if prev != nil && sameNames(prev, next) {
		return was
	}
	routes, clusters := make([]string, len(next.Actions)), make([]string, len(next.Clusters))
	for i := range next.Actions {
		routes[i] = next.Actions[i].Name
	}
	for i, c := range next.Clusters {
		clusters[i] = c.Name
	}
	return telemetry.NewNames(routes, clusters)
}

func sameNames(a, b *snapshot.Snapshot) bool {
	if len(a.Actions) != len(b.Actions) {
		return false
	}
	for i := range a.Actions {
		if a.Actions[i].Name != b.Actions[i].Name {
			return false
		}
	}
	return slices.EqualFunc(a.Clusters, b.Clusters, func(x, y *cluster.Cluster) bool { return x.Name == y.Name })
}
