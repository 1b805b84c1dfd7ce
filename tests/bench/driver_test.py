#!/usr/bin/env python3
"""Tests of what the benchmark computes: which way its ratios point, and what counts as met."""

import os
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

from driver import dr_report, measure, plot, report, workloads  # noqa: E402


def result(cpu, rate=1000.0, p99=1000):
    return {"cpu_us_per_op": cpu, "rate": rate, "p50_ns": 500, "p99_ns": p99,
            "process_ns": 1, "cpu_busy_ns": 1, "elapsed_ns": 1000}


def data_of(timed):
    return {"date": "2026-01-02", "machine": "m", "versions": {}, "rounds": 2, "seconds": 1,
            "warm_up": 0, "load_cpu": 0, "proxy_cpu": 1, "reference": "fairlead", "timed": timed,
            "idle": {}, "syscalls": {}}


class ReportTest(unittest.TestCase):
    def test_ratios_point_the_way_the_targets_do(self):
        results = {"fairlead": [result(5.0, 2000.0, 500)], "nginx": [result(10.0, 1000.0, 1000)]}
        comparison = report.compare(results, "fairlead", "nginx")
        self.assertEqual(comparison["cpu"], [2.0])
        self.assertEqual(comparison["rate"], [2.0])
        self.assertEqual(comparison["p99"], [0.5])

    def test_ratios_skip_failed_rounds_on_either_side(self):
        rounds = [result(4.0), {"failure": "x"}, result(9.0)]
        others = [result(2.0), result(1.0), {"failure": "y"}]
        self.assertEqual(report.ratios(rounds, others, "cpu_us_per_op"), [2.0])

    def test_the_cheaper_haproxy_is_the_one_to_beat(self):
        results = {"haproxy-splice": [result(9.0)], "haproxy-nosplice": [result(8.0)],
                   "nginx": [result(1.0)]}
        self.assertEqual(report.best_of("haproxy", results), "haproxy-nosplice")

    def test_a_failed_configuration_is_never_the_best(self):
        results = {"haproxy-splice": [{"failure": "x"}], "haproxy-nosplice": [result(8.0)]}
        self.assertEqual(report.best_of("haproxy", results), "haproxy-nosplice")

    def test_cpu_and_rate_are_floors_and_p99_is_a_ceiling(self):
        self.assertTrue(report.meets("cpu", 1.6, 1.6))
        self.assertFalse(report.meets("cpu", 1.59, 1.6))
        self.assertTrue(report.meets("p99", 0.75, 0.75))
        self.assertFalse(report.meets("p99", 0.76, 0.75))

    def test_a_workload_is_met_only_if_all_its_targets_are(self):
        for p99, met in ((700, "yes"), (800, "no")):
            table = report.targets_table(data_of({"rr64": {
                "fairlead": [result(5.0, p99=p99)], "haproxy-splice": [result(10.0)]}}))
            self.assertIn(f"| {met} |", table)

    def test_a_proxy_that_failed_is_shown_as_failed(self):
        text = report.markdown(data_of({"rr64": {
            "fairlead": [result(5.0)], "nginx": [{"failure": "recv: Connection reset by peer"}]}}))
        self.assertIn("failed: recv: Connection reset by peer", text)

    def test_work_of_others_on_the_proxy_cpu_is_called_out(self):
        busy = result(5.0) | {"process_ns": 500, "cpu_busy_ns": 1000}
        self.assertIn("not a quiet machine",
                      report.conditions(data_of({"rr64": {"fairlead": [busy]}})))


class MeasureTest(unittest.TestCase):
    def test_reads_the_table_of_strace_with_and_without_errors(self):
        calls = measure.parse_strace(
            "% time     seconds  usecs/call     calls    errors syscall\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            " 60.00    0.000100           1       100           sendto\n"
            " 40.00    0.000050           1       300        20 recvfrom\n"
            "------ ----------- ----------- --------- --------- ----------------\n"
            "100.00    0.000150           0       400        20 total\n")
        self.assertEqual(calls, {"recvfrom": 300, "sendto": 100})


class PlotTest(unittest.TestCase):
    def test_is_well_formed_and_names_every_proxy(self):
        text = plot.svg(data_of({"rr64": {"fairlead": [result(5.0)], "nginx": [result(9.0)]}}))
        xml.etree.ElementTree.fromstring(text)
        self.assertIn("nginx", text)


class DrReportTest(unittest.TestCase):
    def packets(self, **rows):
        return {"packets": {"rows": {name.replace("_", "-"): {
            "floor": [31.0, 30.0], "swap": [32.0, 31.0], "fairlead": fairlead}
            for name, fairlead in rows.items()}}}

    def test_net_cost_is_of_the_quickest_rounds(self):
        figure = dr_report.net("tcp4")(self.packets(tcp4=[55.0, 49.0]))
        self.assertEqual(figure.value, 19.0)
        self.assertEqual(figure.rounds, (24.0, 19.0))

    def test_ratios_are_of_net_costs(self):
        figure = dr_report.net_ratio("many", "one")(self.packets(many=[51.0, 54.0], one=[40.0, 41.0]))
        self.assertEqual(figure.value, 2.1)

    def test_a_target_is_met_up_to_its_limit(self):
        row = dr_report.Row("", "", None, at_most=20)
        self.assertEqual([row.verdict(20), row.verdict(20.01)], ["met", "missed"])
        row = dr_report.Row("", "", None, at_least=0.95)
        self.assertEqual([row.verdict(0.95), row.verdict(0.94)], ["met", "missed"])
        self.assertEqual(dr_report.Row("", "", None).verdict(1), "–")


class WorkloadsTest(unittest.TestCase):
    def test_names_are_unique_and_targets_are_known_keys(self):
        self.assertEqual(len(set(workloads.NAMES)), len(workloads.NAMES))
        for workload in workloads.TIMED:
            self.assertLessEqual(set(workload.targets), {"cpu", "rate", "p99"})


if __name__ == "__main__":
    unittest.main()
