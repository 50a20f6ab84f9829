package mixer

import (
	"fmt"
	"slices"
	"time"

	"parley/internal/audio"
)

// player is a source that is not a person: an announcement, a tone, music.
type player struct {
	source Source
	to     *Port // nil: everyone hears it
	frame  []int16
	sounds bool // in this tick
}

// AddPlayer adds a source that everyone hears or, when to is not nil, that port alone, on top of what else it hears and even while it is
// deaf or held. Its owner removes it when it has ended, until then it may give silence; those for a port go with the port.
func (r *Room) AddPlayer(s Source, to *Port) error {
	if err := s.SetRate(r.rate); err != nil {
		return fmt.Errorf("add player: %w", err)
	}
	if to != nil && to.outlet != nil {
		if err := to.outlet.reserve(); err != nil {
			return fmt.Errorf("add player: %w", err)
		}
	}
	r.players = append(r.players, &player{source: s, to: to, frame: make([]int16, audio.FrameSamples(r.rate))})
	return nil
}

// RemovePlayer takes it out again.
func (r *Room) RemovePlayer(s Source) {
	r.removePlayers(func(p *player) bool { return p.source == s })
}

func (r *Room) removePlayers(gone func(*player) bool) {
	for _, p := range r.players {
		if p.to != nil {
			p.to.played = 0 // counted anew at the next tick
		}
	}
	r.players = slices.DeleteFunc(r.players, gone)
}

// play pulls the players and adds those for everyone to the sum.
func (r *Room) play(now time.Duration) {
	r.playing = false
	for _, p := range r.players {
		if p.to != nil {
			p.to.played = 0
		}
	}
	for _, p := range r.players {
		p.sounds = p.source.Pull(p.frame, now)
		switch {
		case !p.sounds:
		case p.to != nil:
			p.to.played++
		default:
			r.playToAll(p.frame)
		}
	}
}

func (r *Room) playToAll(frame []int16) {
	if !r.playing {
		clear(r.moment.sum)
		r.playing = true
	}
	audio.Add(r.moment.sum, frame)
	r.add(frame)
}

// addPlayed adds what plays for one port to its own sum.
func (r *Room) addPlayed(sum []int32, to *Port) {
	for _, p := range r.players {
		if p.to == to && p.sounds {
			audio.Add(sum, p.frame)
		}
	}
}
