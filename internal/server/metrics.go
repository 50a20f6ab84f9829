package server

import (
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/internal/loop"
)

// sample is one figure of a scrape.
type sample struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // name, value, name, value …
	value      float64
}

// collector publishes what the parts count, read anew at each scrape. It describes nothing beforehand, which makes it an unchecked collector.
type collector struct{ read func() []sample }

// Describe implements prometheus.Collector.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(out chan<- prometheus.Metric) {
	for _, s := range c.read() {
		var names, values []string
		for i := 0; i+1 < len(s.labels); i += 2 {
			names, values = append(names, s.labels[i]), append(values, s.labels[i+1])
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc("parley_"+s.name, s.help, names, nil), s.kind, s.value, values...)
	}
}

// metrics returns the handler of /metrics.
func metrics(read func() []sample, engine *loop.Engine) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(collectors.WithGoCollectorRuntimeMetrics(collectors.MetricsGC, collectors.MetricsScheduler, collectors.MetricsMemory)),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collector{read}, lateness{engine},
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// lateness publishes how late the media loops' slots began, as a histogram for each loop.
type lateness struct{ engine *loop.Engine }

// Describe implements prometheus.Collector.
func (l lateness) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (l lateness) Collect(out chan<- prometheus.Metric) {
	desc := prometheus.NewDesc("parley_mixer_tick_lateness_seconds", "How late slots of 5 ms of the media loop began.", []string{"loop"}, nil)
	for i, s := range l.engine.Stats().Loops {
		buckets := map[float64]uint64{}
		var sum uint64
		for b, bound := range loop.LateBuckets {
			sum += s.Late[b]
			buckets[bound] = sum
		}
		sum += s.Late[len(s.Late)-1]
		out <- prometheus.MustNewConstHistogram(desc, sum, s.LateSum.Seconds(), buckets, fmt.Sprint(i))
	}
}

// mediaSamples are the figures of the media loops.
func mediaSamples(e loop.EngineStats) []sample {
	out := []sample{
		gauge("media_sessions", "Media sessions.", float64(e.Sessions)),
		gauge("media_port_pairs", "Pairs of RTP and RTCP ports in the range.", float64(e.Pairs)),
	}
	for i, l := range e.Loops {
		n := fmt.Sprint(i)
		out = append(
			out,
			gauge("media_loop_busy_ratio", "Share of time that the loop works.", l.Busy, "loop", n),
			gauge("rooms", "Conferences in the media loop.", float64(l.Rooms), "loop", n),
			gauge("media_ports", "Participants in the media loop.", float64(l.Ports), "loop", n),
			gauge("media_command_queue", "Commands waiting for the loop.", float64(l.Queue), "loop", n),
			counter("media_command_queue_full_total", "Commands that had to wait for a place in the queue.", l.QueueFull, "loop", n),
			counter("media_frames_lost_total", "Frames of 20 ms given up because the loop was over 100 ms late.", l.LostFrames, "loop", n),
			counter("media_packets_received_total", "RTP packets believed.", l.PacketsIn, "loop", n),
			counter("media_packets_sent_total", "RTP packets sent.", l.PacketsOut, "loop", n),
			counter("media_packets_dropped_total", "Packets dropped, by reason.", l.Refused, "loop", n, "reason", "refused"),
			counter("media_packets_dropped_total", "Packets dropped, by reason.", l.BadReads, "loop", n, "reason", "bad_read"),
			counter("media_packets_dropped_total", "Packets dropped, by reason.", l.SendsFull, "loop", n, "reason", "send_buffer_full"),
			counter("media_packets_dropped_total", "Packets dropped, by reason.", l.SendsFailed, "loop", n, "reason", "send_failed"),
			counter("media_digits_lost_total", "Key presses that nobody took in time.", l.DigitsLost, "loop", n),
		)
	}
	return out
}

func gauge(name, help string, value float64, labels ...string) sample {
	return sample{name, help, prometheus.GaugeValue, labels, value}
}

func counter[N uint64 | int64 | int](name, help string, value N, labels ...string) sample {
	return sample{name, help, prometheus.CounterValue, labels, float64(value)}
}
