package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
)

// PlanCmd is `blitz plan --config NEW [--admin ADDR | --current FILE]`.
type PlanCmd struct {
	Config string `required:"" short:"c" help:"The configuration that would be loaded." placeholder:"NEW"`
	// Admin has no default for kong, which takes one for given, and so would never let Current be.
	Admin   string `help:"Admin address of the running gateway. Default: 127.0.0.1:9901." placeholder:"ADDR" xor:"from"`
	Current string `help:"Compare with this file in place of a running gateway." placeholder:"FILE" xor:"from"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// defaultAdmin is where a running gateway is looked for.
const defaultAdmin = "127.0.0.1:9901"

// Run prints what a reload would change, and how many connections of the running gateway that concerns. Nothing is changed. The status is 0 whether something would change or not, and 1 when the new configuration is
// not valid or the running one cannot be had.
func (c *PlanCmd) Run() error { return c.run(os.Stdout, os.Stderr) }

func (c *PlanCmd) run(out, errs io.Writer) error {
	next, err := loadConfig(c.Config, errs)
	if err != nil {
		return err
	}
	if c.Current != "" {
		now, err := loadConfig(c.Current, errs)
		if err != nil {
			return err
		}
		return c.write(out, newPlan(now, next, nil))
	}
	admin := c.Admin
	if admin == "" {
		admin = defaultAdmin
	}
	now, err := runningConfig(admin)
	if err != nil {
		return err
	}
	load, err := runningLoad(admin)
	if err != nil { // an older gateway, say: the plan is as good without
		fmt.Fprintf(errs, "connections are not known: %v\n", err)
	}
	return c.write(out, newPlan(now, next, load))
}

func (c *PlanCmd) write(out io.Writer, p *plan) error {
	if !c.JSON {
		return p.writeText(out)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

// runningLoad asks a gateway what it carries.
func runningLoad(admin string) (*server.Load, error) {
	text, err := adminGet(admin, "/load")
	if err != nil {
		return nil, err
	}
	load := new(server.Load)
	if err := json.Unmarshal(text, load); err != nil {
		return nil, fmt.Errorf("GET /load: %w", err)
	}
	return load, nil
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
