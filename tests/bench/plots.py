"""The curves of a table, as SVG files drawn by gnuplot."""
import shutil
import subprocess

import lines


def curve(path, title, x_axis, y_axis, curves, style=""):
    """curves: name to points."""
    text = (f"set terminal svg size 720,420 background 'white'\nset output '{path}'\nset title '{title}'\nset xlabel '{x_axis}'\n"
            f"set ylabel '{y_axis}'\nset grid\nset key outside\n{style}\n")
    text += "plot " + ", ".join(f"'-' with linespoints title '{name}'" for name in curves) + "\n"
    for points in curves.values():
        text += "".join(f"{x} {y}\n" for x, y in points) + "e\n"
    subprocess.run(["gnuplot"], input=text.encode(), check=True)
    print(path)


def draw(found, folder):
    if not shutil.which("gnuplot"):
        print("no plots: there is no gnuplot here (apt-get install gnuplot-nox)")
        return
    matrix = found.get("utilisation", {})
    for turn in lines.TURNAROUNDS if matrix else ():
        curves = {f"{baud} baud": [(n, matrix[f"{baud} baud, {n} registers, turnaround {turn} ms"]["utilisation_percent"])
                                   for n in lines.REGISTERS] for baud in lines.BAUDS}
        curve(folder / f"utilisation-{turn}ms.svg", f"of what the wire allows, turnaround {turn} ms", "registers a request", "percent",
              curves, "set yrange [90:101]")
    rows = {what: row for what, row in found.get("endpoints", {}).items() if "50 units" not in what}
    if rows:
        for key, axis in (("cpu_percent", "percent of a core"), ("rss_mib", "MiB resident")):
            points = [(int(what.split()[0]), row[key]) for what, row in rows.items()]
            curve(folder / f"endpoints-{key}.svg", "meters polled each second", "meters", axis, {axis: points}, "set logscale x")
