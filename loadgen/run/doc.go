// Package run is one load run from beginning to end: it starts the threads, holds them to one plan, judges the outcome and
// fills in the record.
//
// It may import loadgen/{client,cpuset,recorder,schedule,workload}, internal/{clock,hdr,loop,runfmt}. What flows through: Options go in;
// a runfmt.Record and the merged histograms come out.
package run
