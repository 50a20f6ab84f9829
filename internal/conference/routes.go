package conference

import (
	"slices"

	"parley/internal/wire"
)

// routesMax is how many participants one list may name.
const routesMax = 100

// silent reports whether nobody can hear p whatever it says.
func (p *Participant) silent() bool { return p.Muted || p.Held || p.RemoteHeld }

// routes returns the list in one order, each id once, or the old one. What is no id is left for checkRoutes.
func routes(old []string, asked *[]string) []string {
	switch {
	case asked == nil:
		return old
	case *asked == nil:
		return nil
	}
	list := make([]string, 0, len(*asked))
	for _, id := range *asked {
		if known, ok := wire.ParseUUID(id); ok {
			list = append(list, known)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// checkRoutes refuses lists of what is not in the conference. Whoever leaves later just is not heard any more.
func (d *decision) checkRoutes(patch ParticipantPatch) error {
	if err := d.checkRoute("can_hear", patch.CanHear); err != nil {
		return err
	}
	return d.checkRoute("can_speak", patch.CanSpeak)
}

func (d *decision) checkRoute(field string, asked *[]string) error {
	if asked == nil {
		return nil
	}
	if n := len(*asked); n > routesMax {
		return invalid(field, "%d ids are more than %d", n, routesMax)
	}
	for _, id := range *asked {
		known, ok := wire.ParseUUID(id)
		if !ok {
			return invalid(field, "%.64q is not a UUID", id)
		}
		if _, err := d.find(ParticipantID(known)); err != nil {
			return err
		}
	}
	return nil
}
