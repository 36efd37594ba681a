package archtest

// A Rule says what the packages in a folder, and below it, must not import. Our own packages are written ./folder and stand for everything
// below; "./" is all of ours. A package may always import what is below itself.
type Rule struct {
	Package string
	MayNot  []string
	Except  []string
	// Spared are packages in the folder that the rule does not bind.
	Spared []string
	Why    string
}

const (
	ours = "./"

	leaf   = "a leaf: everything may import it because it imports nothing that could lead back"
	narrow = "its neighbours on the path of a request meet it through exchange, never directly"
)

// Rules is the package map.
var Rules = []Rule{
	// The engine.
	{Package: "internal", MayNot: []string{"./proxy", "./loadgen", "./harness", "./cmd"},
		Why: "the engine knows neither proxy nor load, so both can stand on it"},
	{Package: "internal/clock", MayNot: []string{ours}, Why: leaf},
	{Package: "internal/uring", MayNot: []string{ours}, Why: leaf},
	{Package: "internal/loop", MayNot: []string{ours}, Except: []string{"./internal/loop", "./internal/uring", "./internal/clock"},
		Why: "the loop moves bytes and knows no protocol"},
	{Package: "internal/wire", MayNot: []string{ours}, Except: []string{"./internal/wire"},
		Why: "codecs are bytes in, events out: they never see a loop or a descriptor"},
	{Package: "internal/wire", MayNot: []string{"net", "syscall", "os", "golang.org/x/sys", "time"}, Except: []string{"net/netip"}, Spared: []string{"./internal/wire/tlsrec"},
		Why: "codecs do no I/O and have no clock: what they do depends on their input alone, so they can be fuzzed and replayed"},
	{Package: "internal/wire/tlsrec", MayNot: []string{"syscall", "golang.org/x/sys", "net/http", "./internal/wire/h1"},
		Why: "TLS is bytes in, bytes out; net and time are there for the method set that crypto/tls asks for, os for the files of certificates"},
	{Package: "internal/hdr", MayNot: []string{ours}, Why: leaf},
	{Package: "internal/runfmt", MayNot: []string{ours}, Except: []string{"./internal/hdr"}, Why: "the run record is a file format"},

	// The gateway as a whole.
	{Package: "proxy", MayNot: []string{"./loadgen", "./harness", "./cmd", "./internal/hdr", "./internal/runfmt"},
		Why: "the gateway is measured from outside; it does not know that it is"},
	{Package: "proxy", MayNot: []string{"github.com/prometheus/client_golang", "github.com/stretchr/testify", "gonum.org/v1", "github.com/chromedp"},
		Why: "the gateway answers its first request within 15 ms of its start, and package initialisers count"},

	// Leaves of the gateway.
	{Package: "proxy/config", MayNot: []string{ours}, Except: []string{"./proxy/config"},
		Why: "a configuration is checked the same way everywhere: without sockets, names to resolve, or the engine"},
	{Package: "proxy/exchange", MayNot: []string{ours}, Except: []string{"./internal/wire"}, Why: leaf},
	{Package: "proxy/endpoint", MayNot: []string{ours}, Except: []string{"./internal/loop"}, Why: leaf},
	{Package: "proxy/balance", MayNot: []string{ours}, Except: []string{"./proxy/endpoint"},
		Why: "pickers are pure functions over endpoints; balance, cluster and upstream would make a circle otherwise"},
	{Package: "proxy/cluster", MayNot: []string{ours}, Except: []string{"./proxy/endpoint", "./proxy/balance"},
		Why: "a cluster never sees the configuration or a socket; upstream reports to it"},
	{Package: "proxy/health", MayNot: []string{ours}, Except: []string{"./proxy/cluster", "./proxy/endpoint", "./internal/wire"},
		Why: "one question to one endpoint; who asks, and what follows from the answer, is the keeper's affair"},
	{Package: "proxy/discovery", MayNot: []string{ours}, Except: []string{"./proxy/cluster", "./proxy/endpoint", "./internal/loop"},
		Why: "it finds addresses; what becomes of them is the keeper's affair"},
	{Package: "proxy/keeper", MayNot: []string{ours}, Except: []string{"./proxy/cluster", "./proxy/endpoint", "./proxy/health", "./proxy/discovery"},
		Why: "it decides about endpoints and knows no worker: the server carries what it publishes to them"},
	{Package: "proxy/health", MayNot: []string{"net/http"}, Why: "the gateway's start has no time for it"},
	{Package: "proxy/route", MayNot: []string{ours}, Except: []string{"./internal/wire"},
		Why: "a route returns an ID; the snapshot knows what the ID means"},
	{Package: "proxy/rewrite", MayNot: []string{ours}, Except: []string{"./internal/wire", "./proxy/exchange", "./proxy/route"},
		Why: "rewriting changes heads that know no protocol; it neither sends nor decides where to"},
	{Package: "proxy/flow", MayNot: []string{ours}, Except: []string{"./internal/loop"}, Why: "bytes of one connection, of no protocol"},
	{Package: "proxy/telemetry", MayNot: []string{ours}, Except: []string{"./proxy/exchange", "./internal/loop"},
		Why: "everything counts and logs, so telemetry must know nobody"},

	{Package: "proxy/proxyproto", MayNot: []string{ours}, Why: "a codec: bytes in, addresses out"},

	// The path of a request.
	{Package: "proxy/secure", MayNot: []string{"./proxy"}, Except: []string{"./proxy/flow", "./proxy/telemetry"},
		Why: "TLS of one socket: whoever speaks above it, in either direction, is none of its business"},
	{Package: "proxy/listener", MayNot: []string{"./proxy"}, Except: []string{"./proxy/telemetry"}, Why: narrow},
	{Package: "proxy/downstream", MayNot: []string{"./proxy"}, Except: []string{"./proxy/exchange", "./proxy/flow", "./proxy/proxyproto", "./proxy/respond", "./proxy/secure", "./proxy/telemetry"}, Why: narrow},
	{Package: "proxy/respond", MayNot: []string{"./proxy"}, Except: []string{"./proxy/exchange", "./proxy/flow", "./proxy/telemetry"}, Why: narrow},
	{Package: "proxy/upstream", MayNot: []string{"./proxy"},
		Except: []string{"./proxy/exchange", "./proxy/flow", "./proxy/proxyproto", "./proxy/cluster", "./proxy/balance", "./proxy/endpoint", "./proxy/secure", "./proxy/telemetry"}, Why: narrow},
	{Package: "proxy/policy", MayNot: []string{"./proxy/worker", "./proxy/server", "./proxy/admin", "./proxy/snapshot", "./proxy/route", "./proxy/downstream", "./proxy/upstream", "./proxy/listener"},
		Why: "a policy sees an exchange; who runs it, and for which route, is the snapshot's and the worker's affair"},
	{Package: "proxy/snapshot", MayNot: []string{"./proxy/worker", "./proxy/server", "./proxy/admin", "./proxy/downstream", "./proxy/upstream", "./proxy/listener"},
		Why: "a snapshot is data that workers read; it is built without any of them running"},
	{Package: "proxy/worker", MayNot: []string{"./proxy/server", "./proxy/admin"}, Why: "workers are told what to do; they do not know by whom"},
	{Package: "proxy/admin", MayNot: []string{ours}, Except: []string{"./proxy/telemetry", "./internal/loop", "./internal/wire"},
		Why: "the server starts the admin listener and hands it what it may show or do; it speaks HTTP with the codec and asks nobody else"},

	// No detours around the completion interface in what runs on a worker.
	{Package: "proxy/exchange", MayNot: []string{"net", "os", "syscall"}, Except: []string{"net/netip"}, Why: hot},
	{Package: "proxy/flow", MayNot: []string{"net", "os"}, Why: hot},
	{Package: "proxy/secure", MayNot: []string{"net", "net/http", "os", "log"}, Why: hot},
	{Package: "proxy/downstream", MayNot: []string{"net/http", "os", "log"}, Why: hot},
	{Package: "proxy/upstream", MayNot: []string{"net/http", "os", "log"}, Why: hot},
	{Package: "proxy/respond", MayNot: []string{"net/http", "os", "log"}, Why: hot},
	{Package: "proxy/route", MayNot: []string{"net/http", "os", "log"}, Why: hot},
	{Package: "proxy/balance", MayNot: []string{"net/http", "os", "log"}, Why: hot},

	// The load generator and the laboratory.
	{Package: "loadgen", MayNot: []string{"./proxy", "./harness", "./cmd"},
		Why: "it shares codecs with the gateway, not pools: a load generator must never silently retry or reuse"},
	{Package: "harness", MayNot: []string{"./proxy", "./loadgen", "./cmd", "./internal"}, Except: []string{"./internal/runfmt", "./internal/hdr"},
		Why: "the lab meets programs at files, sockets and exit codes only; so Blitz is the same kind of thing to it as nginx"},
	{Package: "harness/forecast", MayNot: []string{ours, "os/exec", "net"}, Except: []string{"./harness/machine", "./harness/report", "./harness/result", "./harness/stat", "./internal/hdr", "./internal/runfmt"},
		Why: "a forecast is made of stored results and descriptions; it starts and measures nothing"},
	{Package: "harness/fleet", MayNot: []string{ours}, Except: []string{"./harness/proc"},
		Why: "it reaches hosts; what is done there is the business of the service that it was given"},
	{Package: "harness/provision", MayNot: []string{ours}, Except: []string{"./harness/machine"},
		Why: "a machine's description in, an inventory out; what runs on the hosts is Ansible's"},
	{Package: "cmd/blitz", MayNot: []string{"./loadgen", "./harness"}, Why: "three programs that meet only at files, sockets and exit codes"},
	{Package: "cmd/blitzload", MayNot: []string{"./proxy", "./harness"}, Why: "three programs that meet only at files, sockets and exit codes"},
	{Package: "cmd/blitzlab", MayNot: []string{"./proxy", "./loadgen"}, Why: "three programs that meet only at files, sockets and exit codes"},
}

const hot = "this runs on a worker's thread for every request: the loop does its input and output, and nothing may block"

// Importers are packages that only the listed ones may import.
var Importers = []struct {
	Package string
	Only    []string
	Why     string
}{
	{"./proxy/config", []string{"./proxy/config", "./proxy/snapshot", "./cmd/blitz", "./test"}, "packages take their own options; only the snapshot builder reads the configuration"},
	{"./proxy/server", []string{"./cmd/blitz", "./test"}, "the top of the gateway"},
	{"./proxy/admin", []string{"./proxy/server"}, "the admin listener is started in one place"},
	{"./test", nil, "tests of whole programs; what others need of them belongs to a package"},
	{"./proxy/worker", []string{"./proxy/server"}, "workers are started in one place"},
	{"./cmd", nil, "commands are flags and wiring; nothing to reuse"},
	{"./internal/archtest", nil, "a test, nothing else"},
}

// Siblings are folders whose packages never import each other, only the folder's own package and what is below themselves.
var Siblings = []struct{ Folder, Why string }{
	{"./proxy/policy", "policies are combined by configuration, never by each other; cmd passes their constructors in"},
	{"./harness/target", "a target is a directory with verbs; what two of them share belongs to the folder's own package"},
}

// Folders are the top-level folders that hold packages. A new one is a decision about the map.
var Folders = []string{"proxy", "loadgen", "harness", "cmd", "internal", "test"}

// StartUp lists what the gateway's executable must not contain, directly or not.
var StartUp = struct {
	Command string
	MayNot  []string
	Why     string
}{"./cmd/blitz", []string{"github.com/prometheus/client_golang", "github.com/stretchr/testify", "github.com/invopop/jsonschema", "gonum.org/v1", "github.com/chromedp"},
	"the gateway answers its first request within 15 ms of its start, and package initialisers count"}
