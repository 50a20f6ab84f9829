package arch

import (
	"strings"
)

// floors are the packages in the order of their floors; a package imports lower floors only.
var floors = [...][]string{
	0: {"fault", "wire", "audio", "sdp", "conference", "call"},
	1: {"codec", "jitter", "rtp", "mixer", "loop", "loop/udp"},
	2: {"store", "store/sqlite", "store/storetest", "store/memory"},
	3: {},
	4: {"room", "line"},
	5: {"sip", "sip/sanity", "sip/digest", "sip/registrar", "api"},
	6: {"config", "server", "bench", "arch", "e2e"},
}

// within are the imports inside a floor that are allowed.
var within = map[string][]string{
	"audio":           {"fault"},
	"sdp":             {"fault"},
	"conference":      {"fault", "wire"},
	"call":            {"fault", "wire"},
	"rtp":             {"codec", "jitter"},
	"jitter":          {"codec"},
	"mixer":           {"codec"},
	"loop":            {"codec", "rtp", "mixer", "loop/udp"},
	"store/sqlite":    {"store"},
	"store/storetest": {"store"},
	"store/memory":    {"store"},
	"line":            {"room"},
	"sip":             {"sip/sanity", "sip/digest"},
	"sip/registrar":   {"sip", "sip/digest"},
	"server":          {"config"},
}

// pureOnly lists what floor 0 may import beyond the standard library, and what it may not import of it.
var (
	pureAllowed   = []string{"github.com/pion/sdp/v3"}
	pureForbidden = []string{"os", "os/exec", "net", "net/http", "database/sql", "log", "log/slog", "sync"}
)

// exception is a limit that is set higher for one thing, with the reason.
type exception struct {
	limit  int
	reason string
}

var exceptions = map[string]exception{
	"exported internal/conference": {50, "the commands are a closed set of types, one for each wish"},
}

func floorOf(dir string) (int, bool) {
	if dir == "." || strings.HasPrefix(dir, "cmd/") {
		return 7, true
	}
	name := strings.TrimPrefix(dir, "internal/")
	for i, names := range floors {
		for _, n := range names {
			if n == name {
				return i, true
			}
		}
	}
	return 0, false
}

// mayImport returns why the package may not import the path, "" when it may.
func mayImport(dir string, from int, to string) string {
	if !strings.HasPrefix(to, module+"/") && to != module {
		return thirdParty(from, to)
	}
	if from == 7 {
		return ""
	}
	target := strings.TrimPrefix(strings.TrimPrefix(to, module), "/")
	if target == "" {
		return "" // the root package only embeds the contract
	}
	floor, ok := floorOf(target)
	switch name := strings.TrimPrefix(dir, "internal/"); {
	case !ok:
		return "that package has no floor"
	case floor < from:
		return ""
	case floor > from:
		return "imports point down"
	case contains(within[name], strings.TrimPrefix(target, "internal/")):
		return ""
	}
	return "inside a floor only the edges in floors_test.go are allowed"
}

func thirdParty(from int, to string) string {
	if from != 0 {
		if from == 1 && (to == "log" || to == "log/slog") {
			return "floor 1 is silent: return errors, keep counters"
		}
		return ""
	}
	if contains(pureForbidden, to) {
		return "floor 0 is pure"
	}
	if strings.Contains(strings.Split(to, "/")[0], ".") && !contains(pureAllowed, to) {
		return "floor 0 imports the standard library only"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
