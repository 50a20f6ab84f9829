package loop

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"parley/internal/loop/pace"
)

// stalled lets all speak for some frames on a machine that stalls: the loop is late and catches up, or gives frames up; and what each peer sent comes
// late and at once, or never.
func (r *rig) stalled(rnd *rand.Rand, frames int, peers ...*peer) {
	late := make([][][]byte, len(peers))
	behind := 0
	for range frames {
		for i, p := range peers {
			packet := p.packet()
			switch n := rnd.IntN(40); {
			case n == 0: // lost
			case n < 4 || len(late[i]) > 0 && n < 30 && len(late[i]) < 12:
				late[i] = append(late[i], packet)
			default:
				for _, held := range append(late[i], packet) {
					p.write(held)
				}
				late[i] = nil
			}
		}
		if behind++; rnd.IntN(12) != 0 && behind <= 1 || rnd.IntN(4) == 0 {
			if lost := behind - pace.CatchUp/pace.Phases; lost > 0 {
				r.slot += uint64(lost * pace.Phases)
				r.e.loops[0].lost += lost
				behind -= lost
			}
			for ; behind > 0; behind-- {
				r.frame()
			}
		}
		for _, p := range peers {
			p.listen()
		}
	}
}

// loudest returns the level that a tone has in the 20 ms in which it is strongest, in dBov.
func (p *peer) loudest(hz float64) (most float64) {
	frame := p.format.Rate(8000) / 50
	whole := p.heard
	defer func() { p.heard = whole }()
	most = -100
	for rest := whole; len(rest) >= frame; rest = rest[frame:] {
		p.heard = rest[:frame]
		most = max(most, p.level(hz))
	}
	return most
}

// TestNobodyHearsItself has one of three speak while the others are silent, where ticks and packets stall: whoever speaks goes from the mix of all to one
// of its own and back again and again, and never hears a frame of itself.
func TestNobodyHearsItself(t *testing.T) {
	for talker, name := range []string{"PCMA", "G722", "opus"} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				r := newRig(t, 1)
				room := r.e.NewRoom()
				var peers []*peer
				for i, codec := range []string{"PCMA", "G722", "opus"} {
					p := newPeer(t, 0)
					p.open(codec)
					if i == talker {
						p.tone = toneAt(440, p.format.Rate(8000))
					}
					peers = append(peers, p)
					r.enter(room, r.session(p, codec), PortOptions{})
				}
				r.talk(20, peers...)
				for _, p := range peers {
					p.forget()
				}
				r.stalled(rand.New(rand.NewPCG(seed, 7)), 700, peers...)
				for i, p := range peers {
					got := p.loudest(440)
					if i == talker && got > -60 {
						t.Errorf("the talker hears itself at %.1f dBov", got)
					}
					if i != talker && got < -30 {
						t.Errorf("peer %d hears the talker at %.1f dBov only", i, got)
					}
				}
			})
		}
	}
}
