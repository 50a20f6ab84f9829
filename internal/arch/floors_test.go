package arch

import (
	"strings"
)

// floors are the packages in the order of their floors; a package imports lower floors only.
var floors = [...][]string{
	0: {"fault", "wire", "audio", "sdp", "conference", "call", "flow"},
	1: {"wall", "codec", "jitter", "rtp", "mixer", "loop"},
	2: {"store", "blob"},
	3: {"recording", "webhook", "prompt", "trunk", "chat", "agent"},
	4: {"room", "line"},
	5: {"sip", "api"},
	6: {"config", "server", "bench", "arch", "e2e"},
}

// within are the imports inside a floor that are allowed, from tree to tree.
var within = map[string][]string{
	"audio":      {"fault"},
	"sdp":        {"fault"},
	"conference": {"fault", "wire"},
	"call":       {"fault", "wire"},
	"flow":       {"fault", "wire", "call"},
	"rtp":        {"codec", "jitter"},
	"jitter":     {"codec"},
	"mixer":      {"codec"},
	"loop":       {"codec", "rtp", "mixer", "wall"},
	"line":       {"room"},
	"prompt":     {"webhook"},
	"server":     {"config"},
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
	"exported internal/call":       {32, "the commands are a closed set of types, one for each wish"},
	"exported internal/conference": {60, "the commands are a closed set of types, one for each wish"},
	"package internal/room":        {2550, "a live conference is one goroutine: its seats, halls, keys, guests and recording; sounds, announcements, PINs and the store's form have packages of their own"},
	"package internal/line":        {3080, "what is done with a call is one goroutine's, in one state; its media, records, ways, callees, groups, visitors and flows have packages of their own"},
	"package internal/conference":  {2100, "who is in it, its recording and its announcements end with a conference in one decision"},
}

func floorOf(dir string) (int, bool) {
	if dir == "." || strings.HasPrefix(dir, "cmd/") {
		return 7, true
	}
	name := tree(dir)
	for i, names := range floors {
		if contains(names, name) {
			return i, true
		}
	}
	return 0, false
}

// tree is the first package of a path below internal: what lies below a package is on its floor and may be imported by its tree.
func tree(dir string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(dir, "internal/"), "/")
	return name
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
	switch {
	case !ok:
		return "that package has no floor"
	case floor < from, tree(dir) == tree(target):
		return ""
	case floor > from:
		return "imports point down"
	case contains(within[tree(dir)], tree(target)):
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
