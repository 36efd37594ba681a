package config

import (
	"bytes"
	"hash/maphash"
	"os"
	"slices"
	"strings"
	"sync/atomic"
)

// LoadAfter is Load for a file that follows prev, which may be nil. With thousands of routes of which few have changed it costs a fraction of
// Load: the text of what has not changed is not read again. The outcome is the same, errors included.
func LoadAfter(path string, prev *Config) (*Config, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseAfter(path, text, prev)
}

// ParseAfter is Parse for what follows prev, as LoadAfter is Load. It keeps data's text as long as the configuration.
func ParseAfter(name string, data []byte, prev *Config) (*Config, error) {
	return parseAfter(name, string(data), prev)
}

func parseAfter(name, text string, prev *Config) (*Config, error) {
	if c := patch(name, text, prev); c != nil {
		return c, nil
	}
	c, starts, err := read(name, text, false)
	if err != nil {
		return nil, err
	}
	c.detach()
	c.remember(name, text, starts)
	return c, nil
}

// Unchanged tells how many routes at the beginning and at the end c has taken over from prev without a change: c.Routes[:head] are
// prev.Routes[:head], and the last tail ones those of prev; c then has a cluster for every name of prev's. Both are 0 when c was not read after prev, or wholly.
func (c *Config) Unchanged(prev *Config) (head, tail int) {
	if c.source == nil || prev == nil || prev.source == nil || c.source.after != prev.source.id {
		return 0, 0
	}
	return c.source.head, c.source.tail
}

// fewRoutes is the number up to which all routes are simply read again.
const fewRoutes = 64

// manyChanged is how many routes may have changed for the others not to be read again.
const manyChanged = 256

// source is the text of a configuration, and where its routes stand in it.
type source struct {
	name, text string
	// body is where the list of the routes begins, behind the line with its key, in bytes; starts are the lines on which the routes begin, from there.
	body   int
	starts []int32
	// sums stand for what no two routes may have in common: the key by which they match the same requests, and the name.
	sums []sum
	// files are the routes that answer with a file, by position.
	files []int32

	// after is the id of what head and tail refer to; see Unchanged.
	id, after  uint64
	head, tail int
}

// sources counts them, for their ids. Those before are not kept.
var sources atomic.Uint64

type sum struct{ key, name uint64 }

var sumSeed = maphash.MakeSeed()

func sumOf(r *Route) sum {
	return sum{maphash.String(sumSeed, conflictKey(&r.Match)), maphash.String(sumSeed, r.Name)}
}

func answersWithFile(r *Route) bool { return r.Respond != nil && r.Respond.File != "" }

// remember keeps what patch needs, when c is of the kind that it can follow: one file, whose routes stand for themselves.
func (c *Config) remember(name, text string, starts []int) {
	n := len(c.Routes)
	if n <= fewRoutes || len(starts) != n || len(c.Include) > 0 || strings.Contains(text[starts[0]:], "${") {
		return
	}
	body := bodyStart(text)
	if body < 0 || body > starts[0] {
		return
	}
	s := &source{name: name, text: text, id: sources.Add(1), body: body, starts: make([]int32, n), sums: make([]sum, n)}
	for i, at := range starts {
		s.starts[i] = int32(at - body)
	}
	for i, r := range c.Routes {
		s.sums[i] = sumOf(r)
		if answersWithFile(r) {
			s.files = append(s.files, int32(i))
		}
	}
	c.source = s
}

// bodyStart is where the line after that with the key routes begins, -1 without one.
func bodyStart(text string) int {
	const key = "routes:"
	at := 0
	if !strings.HasPrefix(text, key) {
		if at = strings.Index(text, "\n"+key) + 1; at == 0 {
			return -1
		}
	}
	end := strings.IndexByte(text[at:], '\n')
	if end < 0 {
		return -1
	}
	return at + end + 1
}

// patch reads only what has changed since prev: it makes a short document of the routes that are new, with the unchanged one behind them as a
// witness that it is read as before, and of everything that is not routes. It returns nil when this is not possible, or when anything is wrong; then the whole text
// has to be read, which says what.
func patch(name, text string, prev *Config) *Config {
	if prev == nil || prev.source == nil || prev.source.name != name {
		return nil
	}
	was := prev.source
	body := bodyStart(text)
	if body < 0 {
		return nil
	}
	old, now := was.text[was.body:], text[body:]
	n := len(was.starts)
	// Routes before head are the same: also the beginning of the one behind them is, so nothing was added to the last.
	same := int32(commonStart(old, now))
	head, _ := slices.BinarySearch(was.starts, same)
	for head >= n || head > 0 && was.starts[head]+int32(indentOf(old[was.starts[head]:]))+2 > same {
		head--
	}
	from := int32(0)
	if head > 0 {
		from = was.starts[head]
	}
	// And so are those from tail on, in front of which the end of a line is the same.
	back := commonEnd(old[from:], now[from:])
	tail, _ := slices.BinarySearch(was.starts, int32(len(old)-back+1))
	shift := int32(len(now) - len(old))
	short, witness := "", -1
	move := from - int32(body) // from short to now
	if tail == n {
		short = text[:body] + now[from:]
	} else {
		end := routesEnd(old, int(was.starts[n-1]))
		next := end
		if tail+1 < n {
			next = int(was.starts[tail+1])
		}
		witness = int(was.starts[tail] + shift - move)
		short = text[:body] + now[from:next+int(shift)] + old[end:]
	}
	if strings.Contains(short[body:], "${") {
		return nil
	}
	c, starts, err := read(name, short, false)
	switch {
	case err != nil || len(starts) != len(c.Routes) || len(starts) == 0 || len(starts) > manyChanged || len(c.Include) > 0:
		return nil
	case head > 0 && starts[0] != body, starts[0] < body:
		return nil // what comes before is not read as it was
	case witness >= 0 && starts[len(starts)-1] != witness:
		return nil // nor is what follows
	}
	middle := c.Routes
	if witness >= 0 {
		middle, starts = middle[:len(middle)-1], starts[:len(starts)-1]
	}
	next := was.follow(text, body, head, tail, starts, move, shift, middle)
	if !fits(c, middle, prev, next) {
		return nil
	}
	c.detach()
	detachRoutes(c.Routes) // the witness, too: they are in one piece of memory
	c.Routes = splice(prev.Routes, head, tail, middle)
	c.source = next
	for _, i := range next.files {
		c.files.add(c.Routes[i].Respond.File)
	}
	return c
}

// splice puts middle in the place of the items from head to tail.
func splice[T any](list []T, head, tail int, middle []T) []T {
	out := make([]T, 0, head+len(middle)+len(list)-tail)
	out = append(out, list[:head]...)
	out = append(out, middle...)
	return append(out, list[tail:]...)
}

// follow makes the source of a text in which the routes from head to tail have given way to middle. starts are where those begin in the short document.
func (was *source) follow(text string, body, head, tail int, starts []int, move, shift int32, middle []*Route) *source {
	n := len(was.starts)
	s := &source{name: was.name, text: text, body: body, id: sources.Add(1), after: was.id, head: head, tail: n - tail}
	at := make([]int32, len(middle))
	sums := make([]sum, len(middle))
	for _, i := range was.files {
		if int(i) < head {
			s.files = append(s.files, i)
		}
	}
	for i, r := range middle {
		at[i], sums[i] = int32(starts[i])+move, sumOf(r)
		if answersWithFile(r) {
			s.files = append(s.files, int32(head+i))
		}
	}
	for _, i := range was.files {
		if int(i) >= tail {
			s.files = append(s.files, i+int32(head+len(middle)-tail))
		}
	}
	s.starts, s.sums = splice(was.starts, head, tail, at), splice(was.sums, head, tail, sums)
	for i := head + len(middle); shift != 0 && i < len(s.starts); i++ {
		s.starts[i] += shift
	}
	return s
}

// fits tells whether the new routes and those of prev that stay can be together under the rest of c.
func fits(c *Config, middle []*Route, prev *Config, next *source) bool {
	known := make(map[string]bool, len(c.Clusters))
	for i := range c.Clusters {
		known[c.Clusters[i].Name] = true
	}
	for i := range prev.Clusters {
		if !known[prev.Clusters[i].Name] {
			return false // a route may refer to it
		}
	}
	to := next.head + len(middle)
	if !apart(next.sums[next.head:to], next.sums[:next.head], next.sums[to:]) {
		return false // they may be in each other's way
	}
	for _, i := range next.files {
		switch at := int(i); {
		case at >= to:
			if !current(prev.Routes[at-len(next.sums)+len(prev.Routes)]) {
				return false
			}
		case at < next.head:
			if !current(prev.Routes[at]) {
				return false
			}
		}
	}
	return true
}

// current tells whether the file that a route answers with is still the same.
func current(r *Route) bool {
	f := r.Respond
	info, err := os.Stat(f.File)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(f.content)) {
		return false
	}
	content, err := os.ReadFile(f.File)
	return err == nil && bytes.Equal(content, f.content)
}

// apart tells whether none of the sums in list is in one of the others.
func apart(list []sum, others ...[]sum) bool {
	if len(list) <= 4 {
		for _, s := range list {
			for _, o := range others {
				for i := range o {
					if o[i].key == s.key || o[i].name == s.name {
						return false
					}
				}
			}
		}
		return true
	}
	keys, names := make(map[uint64]bool, len(list)), make(map[uint64]bool, len(list))
	for _, s := range list {
		keys[s.key], names[s.name] = true, true
	}
	for _, o := range others {
		for i := range o {
			if keys[o[i].key] || names[o[i].name] {
				return false
			}
		}
	}
	return true
}

// routesEnd is where the list ends whose last item begins at start: at the next line that is indented less, or no further and without a dash.
func routesEnd(text string, start int) int {
	indent := indentOf(text[start:])
	for at := start; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
		line := text[at:]
		if k := indentOf(line); k <= indent && k < len(line) && line[k] != '\n' && line[k] != '#' {
			return at
		}
	}
}

func indentOf(line string) int {
	i := 0
	for i < len(line) && line[i] == ' ' {
		i++
	}
	return i
}

// compareBlock is how much of two texts is compared at a time.
const compareBlock = 4096

func commonStart(a, b string) int {
	n, i := min(len(a), len(b)), 0
	for i+compareBlock <= n && a[i:i+compareBlock] == b[i:i+compareBlock] {
		i += compareBlock
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonEnd(a, b string) int {
	n, i := min(len(a), len(b)), 0
	for i+compareBlock <= n && a[len(a)-i-compareBlock:len(a)-i] == b[len(b)-i-compareBlock:len(b)-i] {
		i += compareBlock
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}
