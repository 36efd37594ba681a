package tlsconf

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Tickets are the keys under which servers seal session tickets. Every configuration that uses a Tickets resumes the
// sessions of every other one, workers and reloaded configurations included; with keys from the same file, so do several
// machines. The first key seals, all of them open.
//
// Whoever has a key can read the sessions of the time when it sealed (TLS 1.3 resumes with a fresh key agreement, so only
// the tickets themselves), which is why keys are to be replaced: Rotate from time to time, or change the file.
type Tickets struct {
	mu   sync.Mutex // for changes
	keys [][32]byte
	// sealer is a configuration that only holds keys: crypto/tls seals and opens tickets with it on behalf of others, so
	// a change reaches all of them at once.
	sealer atomic.Pointer[tls.Config]
	// every and next say when the next session that is sealed gets a new key: nanoseconds, and nanoseconds of the Unix epoch; 0: never.
	every, next atomic.Int64
}

// keptKeys is how many keys Rotate keeps. Rotated every 12 hours, a session can be resumed for one to one and a half days.
const keptKeys = 3

// maxKeys bounds a file of keys: a ticket is tried against each of them.
const maxKeys = 16

// NewTickets starts with a random key.
func NewTickets() *Tickets {
	t := &Tickets{}
	t.Rotate()
	return t
}

// RotateEvery makes the first ticket that is sealed after each d be sealed with a new key. 0 ends that.
func (t *Tickets) RotateEvery(d time.Duration) {
	if t.every.Swap(int64(d)) != int64(d) {
		t.next.Store(time.Now().UnixNano() + int64(d))
	}
}

// rotateInTime replaces the first key when its time has come.
func (t *Tickets) rotateInTime() {
	every := t.every.Load()
	if every == 0 {
		return
	}
	now, next := time.Now().UnixNano(), t.next.Load()
	if now >= next && t.next.CompareAndSwap(next, now+every) {
		t.Rotate()
	}
}

// Rotate puts a new random key first and forgets the oldest one.
func (t *Tickets) Rotate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	var fresh [32]byte
	_, _ = rand.Read(fresh[:]) // it does not fail: crypto/rand ends the program first
	t.set(append([][32]byte{fresh}, t.keys[:min(len(t.keys), keptKeys-1)]...))
}

// Set replaces all keys.
func (t *Tickets) Set(keys [][32]byte) error {
	if len(keys) == 0 || len(keys) > maxKeys {
		return fmt.Errorf("session ticket keys: expected 1 to %d of them, found %d", maxKeys, len(keys))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(append([][32]byte(nil), keys...))
	return nil
}

func (t *Tickets) set(keys [][32]byte) {
	t.keys = keys
	sealer := &tls.Config{}
	sealer.SetSessionTicketKeys(keys)
	t.sealer.Store(sealer)
}

// LoadFile replaces all keys with those in a file; see ParseTicketKeys.
func (t *Tickets) LoadFile(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("session ticket keys: %w", err)
	}
	defer clear(text)
	keys, err := ParseTicketKeys(text)
	if err != nil {
		return fmt.Errorf("session ticket keys: %s: %w", file, err)
	}
	return t.Set(keys)
}

// ParseTicketKeys reads keys of 32 bytes, one a line, in hexadecimal or base64; empty lines and lines that begin with # do
// not count. To change the key of a fleet without losing a session: add the new key as the last line everywhere, then move
// it to the first everywhere, and remove the old one when its tickets have expired.
func ParseTicketKeys(text []byte) ([][32]byte, error) {
	var keys [][32]byte
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := hex.DecodeString(string(line))
		if err != nil {
			key, err = base64.StdEncoding.DecodeString(string(line))
		}
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("line %d: expected 32 bytes in hexadecimal or base64", i+1)
		}
		if len(keys) == maxKeys {
			return nil, fmt.Errorf("line %d: more than %d keys", i+1, maxKeys)
		}
		keys = append(keys, [32]byte(key))
	}
	if len(keys) == 0 {
		return nil, errors.New("no keys")
	}
	return keys, nil
}

// attach makes a configuration use the tickets.
func (t *Tickets) attach(cfg *tls.Config) {
	cfg.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		t.rotateInTime()
		return t.sealer.Load().EncryptTicket(cs, ss)
	}
	cfg.UnwrapSession = func(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		return t.sealer.Load().DecryptTicket(identity, cs)
	}
}
