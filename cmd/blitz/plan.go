package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/proxy/config"
)

// PlanCmd is `blitz plan --config NEW [--admin ADDR | --current FILE]`.
type PlanCmd struct {
	Config  string `required:"" help:"The configuration that would be loaded." placeholder:"NEW"`
	Admin   string `help:"Admin address of the running gateway." placeholder:"ADDR" default:"127.0.0.1:9901" xor:"from"`
	Current string `help:"Compare with this file in place of a running gateway." placeholder:"FILE" xor:"from"`
}

// Run prints what a reload would change. Nothing is changed. The status is 0 whether something would change or not, and 1 when the new configuration is
// not valid or the running one cannot be had.
func (c *PlanCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c *PlanCmd) run(out, errs io.Writer) error {
	next, err := loadConfig(c.Config, errs)
	if err != nil {
		return err
	}
	var now *config.Config
	if c.Current != "" {
		now, err = loadConfig(c.Current, errs)
	} else {
		now, err = runningConfig(c.Admin)
	}
	if err != nil {
		return err
	}
	return writePlan(out, config.Diff(now, next))
}

// runningConfig asks a gateway for the configuration that is in force.
func runningConfig(admin string) (*config.Config, error) {
	text, err := adminGet(admin, "/config.yaml")
	if err != nil {
		return nil, fmt.Errorf("the running gateway at %s: %w", admin, err)
	}
	return config.ParseLiteral(admin+"/config.yaml", text)
}

// maxAnswer bounds what is read from the admin listener.
const maxAnswer = 256 << 20

// adminGet makes one request by hand: a client library would cost every start of the gateway its initialisation.
func adminGet(address, path string) ([]byte, error) {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path, address); err != nil {
		return nil, err
	}
	r := bufio.NewReader(io.LimitReader(conn, maxAnswer))
	status, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if _, code, _ := strings.Cut(status, " "); !strings.HasPrefix(code, "200") {
		return nil, fmt.Errorf("GET %s: %s", path, strings.TrimSpace(code))
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, errors.Join(errors.New("no end of the response's head"), err)
		}
		if strings.TrimRight(line, "\r\n") == "" {
			break
		}
	}
	return io.ReadAll(r)
}

// writePlan shows the changes, and what each of them does to connections.
func writePlan(out io.Writer, c *config.Changes) error {
	var b strings.Builder
	if !c.Any() {
		b.WriteString("nothing changes\n")
	}
	section := func(what string, l *config.ItemChanges, added, changed, removed func(*config.ItemChange) string) {
		if len(l.Added)+len(l.Removed)+len(l.Changed) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s: %d added, %d changed, %d removed, %d as before\n", what, len(l.Added), len(l.Changed), len(l.Removed), l.Kept)
		for _, n := range l.Added {
			fmt.Fprintf(&b, "  + %s%s\n", n, added(nil))
		}
		for i := range l.Changed {
			fmt.Fprintf(&b, "  ~ %s%s\n", l.Changed[i].Name, changed(&l.Changed[i]))
			writeKeys(&b, "      ", l.Changed[i].Keys)
		}
		for _, n := range l.Removed {
			fmt.Fprintf(&b, "  - %s%s\n", n, removed(nil))
		}
	}
	say := func(s string) func(*config.ItemChange) string { return func(*config.ItemChange) string { return s } }
	section("listeners", &c.Listeners, say(": begins to accept"), func(i *config.ItemChange) string {
		for _, k := range i.Keys {
			if k.Key == "address" {
				return ": the old address closes, its connections end after their request; the new one begins to accept"
			}
		}
		return ": keeps its sockets and connections"
	}, say(": closes, its connections end after their request"))
	section("clusters", &c.Clusters, say(""), say(": requests in flight end where they are, then its connections are replaced"), say(": its connections close after their request"))
	none := say("")
	section("routes", &c.Routes, none, none, none)
	if len(c.Settings) > 0 {
		b.WriteString("settings:\n")
		writeKeys(&b, "  ", c.Settings)
		for _, k := range c.Settings {
			if strings.HasPrefix(k.Key, "workers.") || k.Key == "admin.address" {
				fmt.Fprintf(&b, "  %s needs a restart\n", k.Key)
			}
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeKeys(b *strings.Builder, indent string, keys []config.Change) {
	text := func(s string) string {
		if s == "" {
			return "(not given)"
		}
		return s
	}
	for _, k := range keys {
		fmt.Fprintf(b, "%s%s: %s → %s\n", indent, k.Key, text(k.Old), text(k.New))
	}
}
