package codec

// concealer hides lost packets of a waveform codec: it repeats the last pitch periods of what was heard, as ITU-T G.711
// Appendix I does, fades them to silence within 60 ms, and blends back into the next packet. Unlike the appendix it adds no
// delay: the step between the last sample heard and the first one made up is faded out after the event.
type concealer struct {
	unit    int // samples in 1/8 ms: 1 at 8 kHz, 2 at 16 kHz
	history [historyUnits * maxUnit]int16
	loop    [loopPeriods * maxPitch * maxUnit]int16 // the periods that are being repeated
	looped  int                                     // samples in loop
	pitch   int                                     // samples of one period
	at      int                                     // next sample in loop
	lost    int                                     // samples made up since the last packet
	step    int32                                   // size of the jump from the last sample heard to the first of loop
}

// All in units of 1/8 ms, the figures of G.711 Appendix I: pitch of 66 to 200 Hz, correlation over 20 ms.
const (
	maxUnit      = 2
	minPitch     = 40
	maxPitch     = 120
	window       = 160
	loopPeriods  = 3
	historyUnits = loopPeriods*maxPitch + maxPitch/4
	steady       = 10 * 8 // at full level for 10 ms
	faded        = 60 * 8 // silent after 60 ms
	blendFirst   = 4 * 8  // blend back over 4 ms, and 4 more for each 10 ms lost
	blendMost    = 10 * 8 // but no longer than this
)

func newConcealer(rate int) concealer { return concealer{unit: rate / 8000} }

// received takes the samples of a good packet into the history; the first ones after a loss are blended in place.
func (c *concealer) received(frame []int16) {
	if c.lost > 0 {
		c.blend(frame)
		c.lost, c.looped = 0, 0
	}
	c.remember(frame)
}

func (c *concealer) remember(frame []int16) {
	past := c.past()
	if len(frame) >= len(past) {
		copy(past, frame[len(frame)-len(past):])
		return
	}
	copy(past, past[len(frame):])
	copy(past[len(past)-len(frame):], frame)
}

func (c *concealer) past() []int16 { return c.history[:historyUnits*c.unit] }

// Conceal makes up the samples of a lost packet.
func (c *concealer) Conceal(dst []int16) {
	c.makeUp(dst)
	c.lost += len(dst)
	c.remember(dst)
}

// makeUp writes the continuation of the loop, with its fading, without counting it as lost.
func (c *concealer) makeUp(dst []int16) {
	if c.lost == 0 && c.looped == 0 {
		c.start()
	}
	fadeIn := int32(c.pitch / 4)
	for i := range dst {
		n := c.lost + i
		gain := c.gain(n)
		if gain == 0 {
			clear(dst[i:])
			return
		}
		if n == steady*c.unit || n == 2*steady*c.unit {
			c.lengthen()
		}
		v := int32(c.loop[c.at])
		if int32(n) < fadeIn {
			v += c.step * (fadeIn - int32(n)) / fadeIn
		}
		dst[i] = saturate(v * gain >> 15)
		if c.at++; c.at == c.looped {
			c.at = 0
		}
	}
}

// gain is the fade at the n-th lost sample, 1<<15 for no change.
func (c *concealer) gain(n int) int32 {
	from, to := steady*c.unit, faded*c.unit
	switch {
	case n < from:
		return 1 << 15
	case n >= to:
		return 0
	}
	return int32((to - n) << 15 / (to - from))
}

// start finds the pitch and makes the loop of one period. The jump at its begin is noted rather than smoothed, because what
// came before has been played.
func (c *concealer) start() {
	past := c.past()
	c.pitch = c.findPitch(past)
	c.looped, c.at = 0, 0
	c.fill(1)
	n := len(past)
	c.step = int32(past[n-1]) - int32(past[n-1-c.pitch])
}

// lengthen adds a period to the loop, so that a long loss does not buzz. The place in the period stays.
func (c *concealer) lengthen() {
	periods := c.looped/c.pitch + 1
	if periods > loopPeriods {
		return
	}
	c.at %= c.pitch
	c.fill(periods)
}

// fill builds the loop of the last periods, its end blended into what came before its begin so that it can repeat.
func (c *concealer) fill(periods int) {
	past := c.past()
	if periods > 1 {
		// What was made up since has moved the history on; the periods of the first loop are still there, further back.
		past = past[:len(past)-min(c.lost, len(past)-historyNeeded(periods, c.pitch))]
	}
	c.looped = periods * c.pitch
	from := len(past) - c.looped
	copy(c.loop[:c.looped], past[from:])
	over := c.pitch / 4
	for i := range over {
		at := c.looped - over + i
		a, b := int32(c.loop[at]), int32(past[from-over+i])
		c.loop[at] = int16(a + (b-a)*int32(i+1)/int32(over+1))
	}
}

func historyNeeded(periods, pitch int) int { return periods*pitch + pitch/4 }
