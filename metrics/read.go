package metrics

import (
	"fmt"
	"io"
	"maps"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Sample is one value of a metric. Of a histogram there is one for its count and one for its sum.
type Sample struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

// Read reads what Write has written, by the names of the metrics.
func Read(text io.Reader) ([]Sample, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	var all []Sample
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, one := range families[name].GetMetric() {
			labels := map[string]string{}
			for _, l := range one.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			all = append(all, samples(name, labels, one)...)
		}
	}
	return all, nil
}

func samples(name string, labels map[string]string, m *dto.Metric) []Sample {
	switch {
	case m.GetHistogram() != nil:
		h := m.GetHistogram()
		return []Sample{{name + "_count", labels, float64(h.GetSampleCount())}, {name + "_sum", labels, h.GetSampleSum()}}
	case m.GetGauge() != nil:
		return []Sample{{name, labels, m.GetGauge().GetValue()}}
	default:
		return []Sample{{name, labels, m.GetCounter().GetValue()}}
	}
}
