// Package harness measures two contestants against each other in the same process: interleaved rounds, per-round
// ratios and their medians, CPU by getrusage, latency from intended times in HDR histograms. Every benchmark of the
// repository is a Benchmark run by Main, so all of them share flags, rules and output.
package harness
