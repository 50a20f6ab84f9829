package leg

// Muted adds a direction to those that are muted, or takes it away.
func Muted(now, direction string, on bool) string {
	has := func(what, d string) bool { return what == d || what == "both" }
	if direction == "" {
		direction = "both"
	}
	in, out := has(now, "in"), has(now, "out")
	if has(direction, "in") {
		in = on
	}
	if has(direction, "out") {
		out = on
	}
	switch {
	case in && out:
		return "both"
	case in:
		return "in"
	case out:
		return "out"
	}
	return ""
}
