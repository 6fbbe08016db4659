"""OpenDRIVE texts with roads that climb: a ring road over a hill and a straight one that leads under it."""

import math


def polynomial(tag, s, a, b=0.0, c=0.0, d=0.0):
    return f'<{tag} s="{s}" a="{a}" b="{b}" c="{c}" d="{d}"/>'


def ease(s, length, low, high):
    """A cubic that is level at both ends."""
    rise = high - low
    return polynomial("elevation", s, low, 0.0, 3.0 * rise / length**2, -2.0 * rise / length**3)


def lanes(sidewalks=True):
    def lane(number, kind, width, mark):
        widths = f'<width sOffset="0" a="{width}" b="0" c="0" d="0"/>'
        paint = f'<roadMark sOffset="0" type="{mark}" color="white" width="0.15"/>'
        return f'<lane id="{number}" type="{kind}">{widths}{paint}</lane>'

    left, right = lane(1, "driving", 3.5, "solid"), lane(-1, "driving", 3.5, "solid")
    if sidewalks:
        left, right = lane(2, "sidewalk", 2.0, "none") + left, right + lane(-2, "sidewalk", 2.0, "none")
    centre = '<lane id="0" type="none"><roadMark sOffset="0" type="broken" color="yellow" width="0.15"/></lane>'
    sides = f"<left>{left}</left><center>{centre}</center><right>{right}</right>"
    return f'<lanes><laneSection s="0">{sides}</laneSection></lanes>'


def road(number, length, geometry, elevation, link="", objects="", sidewalks=True):
    return (
        f'<road name="" length="{length}" id="{number}" junction="-1"><link>{link}</link><planView>{geometry}</planView>'
        f"<elevationProfile>{elevation}</elevationProfile>{lanes(sidewalks)}<objects>{objects}</objects></road>"
    )


def shape(s, x, y, heading, length, curvature=0.0):
    kind = f'<arc curvature="{curvature}"/>' if curvature else "<line/>"
    return f'<geometry s="{s}" x="{x}" y="{y}" hdg="{heading}" length="{length}">{kind}</geometry>'


def crosswalk(number, s, half_m=3.5):
    corners = [(-half_m, 1.5), (half_m, 1.5), (half_m, -1.5), (-half_m, -1.5), (-half_m, 1.5)]
    outline = "".join(f'<cornerLocal u="{u}" v="{v}" z="0"/>' for u, v in corners)
    return (
        f'<object id="{number}" name="SimpleCrosswalk" type="crosswalk" s="{s}" t="0" zOffset="0" hdg="{math.pi / 2}" '
        f'pitch="0" roll="0" orientation="none" length="{2 * half_m}" width="3"><outline>{outline}</outline></object>'
    )


def document(*roads):
    return (
        f'<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="hills"/>{"".join(roads)}</OpenDRIVE>'
    )


def hills(sidewalks=True, bridge=True):
    """A ring of two straights (160 m) and two bends: one straight goes over a hill of 8 m, level for 40 m on top, and,
    with `bridge`, a road at 0 m passes below its top. In OpenDRIVE's axes the hill is at y = 0, x from 0 to 160.
    """
    straight, radius = 160.0, 40.0
    bend = math.pi * radius
    over = ease(0.0, 60.0, 0.0, 8.0) + polynomial("elevation", 60.0, 8.0) + ease(100.0, 60.0, 8.0, 0.0)
    flat = polynomial("elevation", 0.0, 0.0)

    def links(before, after):
        return (
            f'<predecessor elementType="road" elementId="{before}" contactPoint="end"/>'
            f'<successor elementType="road" elementId="{after}" contactPoint="start"/>'
        )

    ring = [
        road(1, straight, shape(0, 0, 0, 0, straight), over, links(4, 2), "", sidewalks),
        road(2, bend, shape(0, straight, 0, 0, bend, 1 / radius), flat, links(1, 3), "", sidewalks),
        road(
            3,
            straight,
            shape(0, straight, 2 * radius, math.pi, straight),
            flat,
            links(2, 4),
            crosswalk(1, 80.0) if sidewalks else "",
            sidewalks,
        ),
        road(4, bend, shape(0, 0, 2 * radius, math.pi, bend, 1 / radius), flat, links(3, 1), "", sidewalks),
    ]
    if bridge:
        ring.append(road(5, 60.0, shape(0, 80.0, -30.0, math.pi / 2, 60.0), flat, "", "", False))
    return document(*ring)
