package codec

import "math"

// concealer hides lost packets of a waveform codec: it repeats the last pitch periods of what was heard, as ITU-T G.711
// Appendix I does, fades them to silence within 60 ms, and blends back into the next packet. Unlike the appendix it adds no
// delay: the jump from the last sample heard to the first one made up is faded out after the event.
type concealer struct {
	unit     int                                     // samples in 1/8 ms: 1 at 8 kHz, 2 at 16 kHz
	history  [historyUnits * maxUnit]int16           // what was played last
	source   [historyUnits * maxUnit]int16           // the history when the loss began
	loop     [loopPeriods * maxPitch * maxUnit]int16 // the periods that are being repeated
	looped   int                                     // samples in loop
	pitch    int                                     // samples of one period
	at       int                                     // next sample in loop
	lost     int                                     // samples made up since the last packet, until silence
	jump     int32                                   // what is missing between the sample before and the loop
	jumpLeft int                                     // samples over which jump still fades
}

// All in units of 1/8 ms, the figures of G.711 Appendix I: pitch of 66 to 200 Hz, correlation over 20 ms.
const (
	maxUnit      = 2
	minPitch     = 40
	maxPitch     = 120
	window       = 160
	loopPeriods  = 3
	historyUnits = loopPeriods*maxPitch + maxPitch/4
	steady       = 10 * 8 // full level for 10 ms
	faded        = 60 * 8 // silent after 60 ms
	blendFirst   = 4 * 8  // blend back over 4 ms, and 4 more for each 10 ms lost
	blendMost    = 10 * 8 // but no longer than this
)

// newConcealer makes one for a rate of 8000 or 16000 Hz.
func newConcealer(rate int) concealer { return concealer{unit: rate / 8000} }

// Recover reports false: these codecs carry no redundancy.
func (c *concealer) Recover([]int16, []byte) bool { return false }

// Reset forgets what was heard: until the next packet, Conceal gives silence.
func (c *concealer) Reset() { *c = concealer{unit: c.unit} }

// Conceal makes up the samples of a lost packet.
func (c *concealer) Conceal(dst []int16) {
	if c.lost == 0 {
		c.start()
	}
	c.makeUp(dst)
	c.remember(dst)
}

// received takes the samples of a good packet into the history. The first ones after a loss are blended in place with the
// continuation of what was made up.
func (c *concealer) received(frame []int16) {
	if c.lost > 0 {
		c.blend(frame)
		c.lost = 0
	}
	c.remember(frame)
}

func (c *concealer) blend(frame []int16) {
	var made [blendMost * maxUnit]int16
	over := min(blendFirst+c.lost/c.unit/10*4, blendMost) * c.unit
	over = min(over, len(frame))
	c.makeUp(made[:over])
	for i, old := range made[:over] {
		a, b := int(old), int(frame[i])
		frame[i] = int16(a + (b-a)*(i+1)/(over+1))
	}
}

func (c *concealer) past() []int16 { return c.history[:historyUnits*c.unit] }

func (c *concealer) remember(frame []int16) {
	past := c.past()
	if len(frame) >= len(past) {
		copy(past, frame[len(frame)-len(past):])
		return
	}
	copy(past, past[len(frame):])
	copy(past[len(past)-len(frame):], frame)
}

// makeUp writes the next samples made up.
func (c *concealer) makeUp(dst []int16) {
	for i := range dst {
		dst[i] = c.sample()
	}
}

// sample continues the loop by one sample, faded.
func (c *concealer) sample() int16 {
	gain := c.gain(c.lost)
	if gain == 0 {
		return 0
	}
	if c.lost == steady*c.unit || c.lost == 2*steady*c.unit {
		c.lengthen()
	}
	c.lost++
	v := int64(c.loop[c.at])
	if c.jumpLeft > 0 {
		v += int64(c.jump) * int64(c.jumpLeft) / int64(c.pitch/4+1)
		c.jumpLeft--
	}
	if c.at++; c.at == c.looped {
		c.at = 0
	}
	return int16(min(max(v*int64(gain)>>15, math.MinInt16), math.MaxInt16))
}

// gain is the fade at the n-th lost sample, 1<<15 for no change.
func (c *concealer) gain(n int) int {
	from, to := steady*c.unit, faded*c.unit
	switch {
	case n < from:
		return 1 << 15
	case n >= to:
		return 0
	}
	return (to - n) << 15 / (to - from)
}

// start keeps the history and makes a loop of its last period.
func (c *concealer) start() {
	c.source = c.history
	past := c.past()
	c.pitch = findPitch(past, c.unit)
	c.fill(1)
	c.at = 0
	c.leap(int32(past[len(past)-1]) - int32(past[len(past)-1-c.pitch]))
}

// lengthen adds an earlier period to the loop, so that a long loss does not buzz. The place in the period stays.
func (c *concealer) lengthen() {
	was := int32(c.loop[c.at])
	c.at %= c.pitch
	c.fill(c.looped/c.pitch + 1)
	c.leap(was - int32(c.loop[c.at]))
}

func (c *concealer) leap(jump int32) { c.jump, c.jumpLeft = jump, c.pitch/4 }

// fill makes the loop of the last periods heard, its end blended into what came before its begin so that it can repeat.
func (c *concealer) fill(periods int) {
	heard := c.source[:historyUnits*c.unit]
	c.looped = periods * c.pitch
	from := len(heard) - c.looped
	copy(c.loop[:c.looped], heard[from:])
	over := c.pitch / 4
	end := c.loop[c.looped-over : c.looped]
	for i := range end {
		a, b := int(end[i]), int(heard[from-over+i])
		end[i] = int16(a + (b-a)*(i+1)/(over+1))
	}
}

// findPitch returns the period in samples at which the end of past resembles what came before it most. A coarse search on
// every second unit comes first, as in the appendix, then a fine one around its best.
func findPitch(past []int16, unit int) int {
	coarse := 2 * unit
	best := searchPitch(past, minPitch*unit, maxPitch*unit, coarse, unit)
	return searchPitch(past, max(best-coarse+1, minPitch*unit), min(best+coarse-1, maxPitch*unit), 1, unit)
}

func searchPitch(past []int16, from, to, step, unit int) int {
	recent := past[len(past)-window*unit:]
	best, bestScore := from, -1.0
	for lag := from; lag <= to; lag += step {
		before := past[len(past)-window*unit-lag:]
		var product, energy int64
		for i := 0; i < len(recent); i += step {
			a, b := int64(recent[i]), int64(before[i])
			product += a * b
			energy += b * b
		}
		if product <= 0 {
			continue
		}
		// Ordered by correlation over the root of the energy, without the root.
		if score := float64(product) * float64(product) / float64(energy); score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}
