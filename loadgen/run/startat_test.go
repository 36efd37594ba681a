package run

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Generators that are told the same instant have the same plan, however long each took to connect.
func TestStartAtTheAgreedInstant(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s := newHTTPServer(t, hello)
		at := time.Now().Add(time.Second).Round(0)
		var runs [2]*Result
		errs := make(chan error, len(runs))
		for i := range runs {
			go func() {
				var err error
				runs[i], err = Run(context.Background(), Options{
					Workload: newWorkload(t, s.url), Rate: 200, Engine: engine, Connections: 2, StartAt: at,
					Warmup: 100 * time.Millisecond, Duration: 200 * time.Millisecond, Timeout: time.Minute, ExpectBody: -1,
				})
				errs <- err
			}()
		}
		for range runs {
			require.NoError(t, <-errs)
		}
		for _, r := range runs {
			// The wall clock may be slewed between the two readings, by parts in ten thousand.
			require.WithinDuration(t, at.Add(100*time.Millisecond), r.Record.Start, 5*time.Millisecond)
			require.EqualValues(t, 40, r.Record.Counts.Requests)
		}
	})
}

func TestAnAgreedInstantThatHasPassedIsRefused(t *testing.T) {
	s := newHTTPServer(t, hello)
	o := Options{Workload: newWorkload(t, s.url), Closed: true, Connections: 1, Duration: time.Second, StartAt: time.Now().Add(-time.Second)}
	_, err := Run(context.Background(), o)
	require.ErrorIs(t, err, ErrTooLate)
	o.StartAt = time.Now().Add(2 * time.Hour)
	_, err = Run(context.Background(), o)
	require.ErrorContains(t, err, "more than 1h0m0s from now")
	require.Zero(t, s.requests.Load())
}
