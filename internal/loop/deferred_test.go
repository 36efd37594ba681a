package loop_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// script records what happens in which turn.
type script struct {
	l     loop.Loop
	d     [2]loop.Deferred
	t     loop.Timer
	log   []string
	again int
}

type second struct{ s *script }

func (s *script) note(what string) {
	s.log = append(s.log, fmt.Sprintf("%s@%d", what, s.l.Stats().Turns))
}

func (s *script) OnTimer(*loop.Timer) {
	s.note("timer")
	s.l.Defer(&s.d[0])
	s.l.Defer(&s.d[1])
	s.l.Defer(&s.d[0])
}

func (s *script) OnDeferred() {
	s.note("first")
	if s.again++; s.again < 3 {
		s.l.Defer(&s.d[0])
	} else {
		s.l.Stop()
	}
}

func (s second) OnDeferred() { s.s.note("second") }

// Deferred work is done once, in order, in the turn that asked for it, and what it asks for itself in the next one, without sleeping.
func TestDeferredWorkEndsTheTurn(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := &script{}
		s.l = newLoop(t, loop.Options{Engine: engine})
		s.d[0].Handler, s.d[1].Handler, s.t.Handler = s, second{s}, s
		s.l.Arm(&s.t, time.Millisecond)
		if err := s.l.Run(); err != nil {
			t.Fatal(err)
		}
		if len(s.log) != 5 {
			t.Fatal(s.log)
		}
		var turn int
		if _, err := fmt.Sscanf(s.log[0], "timer@%d", &turn); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("[timer@%[1]d first@%[1]d second@%[1]d first@%[2]d first@%[3]d]", turn, turn+1, turn+2)
		if got := fmt.Sprint(s.log); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

// What is deferred before the loop runs is done in its first turn, although nothing happens that would wake it.
func TestDeferredBeforeTheFirstTurn(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		s := &script{again: 2}
		s.l = newLoop(t, loop.Options{Engine: engine})
		s.d[0].Handler = s
		s.l.Defer(&s.d[0])
		if err := s.l.Run(); err != nil {
			t.Fatal(err)
		}
		if len(s.log) != 1 || s.log[0] != "first@1" {
			t.Fatal(s.log)
		}
	})
}
