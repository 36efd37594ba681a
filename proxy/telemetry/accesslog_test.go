package telemetry

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inline posts by calling: right for tests in which the writer's thread does nothing at that moment.
func inline(f func()) bool { f(); return true }

func never(func()) bool { return false }

// logTo starts a log that writes to out.
func logTo(t *testing.T, out io.Writer) *AccessLog {
	t.Helper()
	l, err := newAccessLog("test", "json")
	require.NoError(t, err)
	l.out = out
	go l.run()
	return l
}

// numbered is an entry that can be told from others.
func numbered(worker, n int) *Entry {
	e := fullEntry()
	e.Path = fmt.Appendf(nil, "/%d/%d", worker, n)
	return e
}

func TestFileIsAppendedReopenedAndClosed(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "access.log")
			require.NoError(t, os.WriteFile(path, []byte("was here\n"), 0o600))
			l, err := OpenAccessLog(path, format)
			require.NoError(t, err)
			w := l.NewWriter(never)
			w.Log(numbered(1, 1))
			w.Flush()
			require.NoError(t, os.Rename(path, path+".1"))
			require.NoError(t, l.Reopen(t.Context()))
			w.Log(numbered(1, 2))
			w.Close()
			require.NoError(t, l.Close(t.Context()))
			assert.Equal(t, LogStats{Lines: 2}, l.Stats())
			assert.ErrorIs(t, l.Reopen(t.Context()), ErrLogClosed)

			old, err := os.ReadFile(path + ".1")
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(old), "was here\n"))
			assert.Contains(t, string(old), "/1/1")
			assert.NotContains(t, string(old), "/1/2")
			fresh, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Contains(t, string(fresh), "/1/2")
			assert.NotContains(t, string(fresh), "/1/1")
		})
	}
}

func TestOpenAndReopenErrors(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenAccessLog(filepath.Join(dir, "no", "such", "dir"), "json")
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenAccessLog(filepath.Join(dir, "x"), "xml")
	assert.ErrorContains(t, err, `unknown format "xml"`)

	sub := filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o700))
	l, err := OpenAccessLog(filepath.Join(sub, "log"), "json")
	require.NoError(t, err)
	w := l.NewWriter(never)
	require.NoError(t, os.Rename(sub, sub+"2"))
	assert.ErrorIs(t, l.Reopen(t.Context()), os.ErrNotExist)
	w.Log(numbered(0, 0))
	w.Close()
	require.NoError(t, l.Close(t.Context()))
	b, err := os.ReadFile(filepath.Join(sub+"2", "log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "/0/0", "the old file stays in use")
}

func TestALonelyLineIsFetched(t *testing.T) {
	r, out := io.Pipe()
	l := logTo(t, out)
	w := l.NewWriter(inline)
	w.Log(numbered(7, 7))
	// Nobody flushes: the line comes because the goroutine asks for it.
	line, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "/7/7")
	require.NoError(t, l.Close(t.Context()))
}

func TestASlowLogDropsAndCounts(t *testing.T) {
	r, out := io.Pipe()
	l := logTo(t, out)
	w := l.NewWriter(never)
	n := 0
	for l.Stats().Dropped < 3 { // nothing is read: ends only because Log never blocks
		w.Log(numbered(0, n))
		n++
	}
	go func() {
		w.Close()
		assert.NoError(t, l.Close(context.Background()))
		out.Close()
	}()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(got), "\n"), "\n")
	assert.Equal(t, uint64(len(lines)), l.Stats().Lines)
	assert.Equal(t, n, len(lines)+int(l.Stats().Dropped), "every line was written or counted as dropped")
	assert.LessOrEqual(t, len(got), buffersPerWriter*bufferSize)
	for i, line := range lines {
		assert.Contains(t, line, fmt.Sprintf(`"path":"/0/%d"`, i))
	}
}

func TestCloseDoesNotWaitForever(t *testing.T) {
	r, out := io.Pipe()
	l := logTo(t, out)
	w := l.NewWriter(never)
	w.Log(numbered(0, 0))
	w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, l.Close(ctx), context.Canceled)
	require.NoError(t, r.Close())
	<-l.done
}

// fullDisk takes some bytes, then none for a while, then all.
type fullDisk struct {
	bytes.Buffer
	writes int
}

func (d *fullDisk) Write(p []byte) (int, error) {
	d.writes++
	if d.writes == 1 {
		d.Buffer.Write(p[:len(p)/2])
		return len(p) / 2, errors.New("no space left")
	}
	return d.Buffer.Write(p)
}

func TestAFullDiskCostsTheCutLineOnly(t *testing.T) {
	var disk fullDisk
	l := logTo(t, &disk)
	w := l.NewWriter(never)
	w.Log(numbered(0, 1))
	w.Flush()
	w.Log(numbered(0, 2))
	w.Close()
	require.NoError(t, l.Close(t.Context()))
	assert.Equal(t, LogStats{Lines: 1, WriteErrors: 1}, l.Stats())
	lines := strings.Split(strings.TrimSuffix(disk.String(), "\n"), "\n")
	require.Len(t, lines, 2)
	assert.True(t, json.Valid([]byte(lines[1])))
	assert.Contains(t, lines[1], "/0/2")
}

func TestWorkersLogAtTheSameTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := OpenAccessLog(path, "json")
	require.NoError(t, err)
	const workers, lines = 4, 3000
	var loops sync.WaitGroup
	var asked atomic.Int32
	for i := range workers {
		turn := newTurner()
		w := l.NewWriter(func(f func()) bool { asked.Add(1); return turn.post(f) })
		n := 0
		over := make(chan struct{})
		go turn.run(func() {
			if n < lines {
				w.Log(numbered(i, n))
				if n++; n == lines {
					close(over)
				}
			}
		})
		loops.Go(func() {
			<-over
			turn.stop()
		})
	}
	for range 5 {
		require.NoError(t, l.Reopen(t.Context()))
	}
	loops.Wait()
	require.NoError(t, l.Close(t.Context()), "fetches what the ended workers left")

	b, err := os.ReadFile(path)
	require.NoError(t, err)
	next := map[string]int{}
	total := 0
	for line := range bytes.Lines(b) {
		var e struct{ Path string }
		require.NoError(t, json.Unmarshal(line, &e), "%q", line)
		var worker string
		var n int
		_, err := fmt.Sscanf(strings.ReplaceAll(e.Path, "/", " "), "%s %d", &worker, &n)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, n, next[worker], "lines of a worker are in order, none is doubled")
		next[worker] = n + 1
		total++
	}
	assert.Equal(t, workers*lines, total+int(l.Stats().Dropped))
	assert.Equal(t, uint64(total), l.Stats().Lines)
}

func TestLoggingDoesNotAllocate(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		l, err := newAccessLog("test", format)
		require.NoError(t, err)
		l.out = io.Discard
		go l.run()
		w := l.NewWriter(never)
		e := fullEntry()
		w.Log(e) // makes the stamp
		e.UserAgent = []byte("caf\xc3\xa9 \xff \x01")
		// Enough lines for many hand-overs; when the goroutine is slow, some are dropped, which allocates nothing either.
		assert.Zero(t, testing.AllocsPerRun(5000, func() { w.Log(e) }), format)
		w.Close()
		require.NoError(t, l.Close(t.Context()))
	}
}

// While the file keeps up, the buffer that came back is filled again, and the memory of the others is not touched.
func TestWrittenBuffersAreUsedFirst(t *testing.T) {
	l, err := newAccessLog("test", "json")
	require.NoError(t, err)
	l.out = io.Discard
	go l.run()
	w := l.NewWriter(never)
	e := fullEntry()
	for range 3 * buffersPerWriter {
		for w.Log(e); w.cur != nil; {
			w.Log(e)
		}
		require.Eventually(t, func() bool { return len(w.free) == 1 }, 10*time.Second, 100*time.Microsecond)
	}
	require.Equal(t, LogStats{Lines: l.Stats().Lines}, l.Stats(), "nothing is dropped")
	touched := 0
	for range buffersPerWriter {
		if b := w.take(); b.b[:1][0] != 0 {
			touched++
		}
	}
	require.Equal(t, 1, touched)
	require.Nil(t, w.take())
	w.Log(e)
	require.EqualValues(t, 1, l.Stats().Dropped)
	w.Close()
	require.NoError(t, l.Close(t.Context()))
}

// BenchmarkLine is the cost of a line on the worker, without the hand-over: of a request that was answered well, and of one with all fields.
func BenchmarkLine(b *testing.B) {
	usual := fullEntry()
	usual.Client, usual.Path, usual.Query = netip.MustParseAddrPort("192.0.2.1:47110"), []byte("/v1/things/4711"), nil
	usual.Status, usual.Flags, usual.Attempts, usual.Code, usual.Detail = 200, 0, 1, "", ""
	buf := make([]byte, 0, maxLine)
	for _, x := range []struct {
		name string
		e    *Entry
	}{{"usual", usual}, {"all", fullEntry()}} {
		var s stamp
		b.Run(x.name+"/json", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = s.appendJSONLine(buf[:0], x.e)
			}
		})
		b.Run(x.name+"/text", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = s.appendTextLine(buf[:0], x.e)
			}
		})
	}
}
