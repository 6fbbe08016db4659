"""Child of `sim`: OpenGL on the processor (Mesa's llvmpipe) draws the scene that it is given, one picture a turn.

    PYTHON -m benchmarks.references.llvmpipe_scene SCENE.npz WIDTH HEIGHT SAMPLES

RGB with so many samples a pixel (1 or 4), the sun's shadows from a map that is kept while the camera stays near, a texture
with its smaller versions, sky light and mist; then tags and depth with one sample; all is read back. Squares of the town
that are not in view are not drawn. Reflections, clouds, lamps, rain and shade of corners, which ours has, are not there.
"""

import math
import sys

import moderngl
import numpy as np

from benchmarks.child import answer

NEAR_M, FAR_M, CELL_M = 0.1, 1000.0, 16.0
SHADOW_TEXELS, SHADOW_RADIUS_M, SHADOW_KEPT_M = 2048, 64.0, 8.0
SKY = 11
"""Its tag."""

SHADE_VERTEX = """
#version 330
uniform mat4 to_clip; uniform mat4 to_sun; uniform vec3 eye;
in vec3 place; in vec3 normal; in vec3 colour; in vec2 uv;
out vec3 n; out vec3 c; out vec2 t; out vec3 s; out float far_m;
void main() {
    gl_Position = to_clip * vec4(place, 1.0);
    n = normal; c = pow(colour, vec3(2.2)); t = uv * 0.4; s = (to_sun * vec4(place, 1.0)).xyz * 0.5 + 0.5;
    far_m = distance(place, eye);
}
"""
SHADE_FRAGMENT = """
#version 330
uniform sampler2D grain; uniform sampler2DShadow shadow; uniform vec3 sun;
in vec3 n; in vec3 c; in vec2 t; in vec3 s; in float far_m;
out vec4 rgba;
void main() {
    vec3 up = normalize(n);
    float lit = max(dot(up, sun), 0.0);
    vec2 texel = vec2(1.0 / 2048.0);
    float open = 0.0;
    for (int y = 0; y < 2; y++) for (int x = 0; x < 2; x++)
        open += 0.25 * texture(shadow, vec3(s.xy + (vec2(x, y) - 0.5) * texel, s.z - 0.0015));
    vec3 sky = mix(vec3(0.25, 0.24, 0.22), vec3(0.45, 0.55, 0.70), up.z * 0.5 + 0.5);
    vec3 light = c * (0.6 + 0.8 * texture(grain, t).r) * (sky + lit * open * vec3(1.6, 1.5, 1.35));
    light = mix(vec3(0.65, 0.72, 0.80), light, exp(-far_m * 0.002));
    rgba = vec4(pow(light / (1.0 + 0.4 * light), vec3(1.0 / 2.2)), 1.0);
}
"""
LABEL_VERTEX = """
#version 330
uniform mat4 to_clip;
in vec3 place; in float tag;
flat out float id; out float depth_m;
void main() { gl_Position = to_clip * vec4(place, 1.0); id = tag; depth_m = gl_Position.w; }
"""
LABEL_FRAGMENT = """
#version 330
flat in float id; in float depth_m;
layout(location = 0) out float tag; layout(location = 1) out float depth;
void main() { tag = id / 255.0; depth = depth_m; }
"""
DEPTH_VERTEX = """
#version 330
uniform mat4 to_clip;
in vec3 place;
void main() { gl_Position = to_clip * vec4(place, 1.0); }
"""


class Scene:
    """Triangles by squares of CELL_M, so that those out of view can be left out."""

    def __init__(self, context, file):
        triangles, places = file["triangles"], file["vertices"]
        squares = np.floor(places[triangles].mean(axis=1)[:, :2] / CELL_M).astype(np.int64)
        _, of_square = np.unique(squares, axis=0, return_inverse=True)
        order = np.argsort(of_square.ravel(), kind="stable")
        triangles = np.ascontiguousarray(triangles[order], np.uint32)
        ends = np.flatnonzero(np.diff(of_square.ravel()[order], append=-1)) + 1
        self.ranges = np.stack([np.concatenate([[0], ends[:-1]]), ends], axis=1) * 3
        corners = [places[triangles[a // 3 : b // 3]].reshape(-1, 3) for a, b in self.ranges]
        self.middles = np.array([(c.min(0) + c.max(0)) / 2 for c in corners])
        self.radii = np.array([np.linalg.norm(c - m, axis=1).max() for c, m in zip(corners, self.middles, strict=True)])
        self._indices = context.buffer(triangles.tobytes())
        self._columns = {
            "place": (places, "3f"),
            "normal": (file["normals"], "3f"),
            "colour": (file["colours"], "3f"),
            "uv": (file["uvs"], "2f"),
            "tag": (file["tags"], "1f"),
        }
        self._buffers = {
            k: context.buffer(np.ascontiguousarray(v, "f4").tobytes()) for k, (v, _) in self._columns.items()
        }
        self._context = context

    def array(self, program, *names):
        """The scene as a program's input."""
        content = [(self._buffers[name], self._columns[name][1], name) for name in names]
        return self._context.vertex_array(program, content, self._indices)

    def draw(self, array, chosen):
        """Draw some of the squares; neighbours in one go."""
        first = end = None
        for a, b in self.ranges[chosen]:
            if a != end:
                if end is not None:
                    array.render(first=int(first), vertices=int(end - first))
                first = a
            end = b
        if end is not None:
            array.render(first=int(first), vertices=int(end - first))


def clip_matrix(to_world, fov_deg, width, height):
    """World to clip of a camera whose axes are forward, right and up."""
    view = np.linalg.inv(to_world)[[1, 2, 0, 3]]  # right, up, forward
    x = 1.0 / math.tan(math.radians(fov_deg) / 2)
    a, b = (FAR_M + NEAR_M) / (FAR_M - NEAR_M), -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    return np.array([[x, 0, 0, 0], [0, x * width / height, 0, 0], [0, 0, a, b], [0, 0, 1, 0]]) @ view


def sun_matrix(sun, eye):
    """World to the clip space of the shadow map around a place."""
    right = np.cross((0.0, 0.0, 1.0), sun)
    right /= np.linalg.norm(right)
    rows = np.stack([right, np.cross(sun, right), -sun]) / np.array([[SHADOW_RADIUS_M], [SHADOW_RADIUS_M], [300.0]])
    return np.vstack([np.hstack([rows, -(rows @ eye)[:, None]]), [0, 0, 0, 1]])


def main():
    file, (width, height, samples) = np.load(sys.argv[1]), map(int, sys.argv[2:5])
    samples = 0 if samples == 1 else samples  # as OpenGL counts them
    context = moderngl.create_standalone_context(backend="egl")
    renderer = context.info["GL_RENDERER"]
    if "llvmpipe" not in renderer:
        raise SystemExit(f"OpenGL is {renderer} here, not llvmpipe")
    context.enable(moderngl.DEPTH_TEST)
    scene, sun = Scene(context, file), file["sun"]
    shade = context.program(SHADE_VERTEX, SHADE_FRAGMENT)
    label = context.program(LABEL_VERTEX, LABEL_FRAGMENT)
    shadow_only = context.program(DEPTH_VERTEX, "#version 330\nvoid main() {}")
    shaded = scene.array(shade, "place", "normal", "colour", "uv")
    labelled = scene.array(label, "place", "tag")
    casting = scene.array(shadow_only, "place")
    size = (width, height)
    sampled = context.framebuffer(
        [context.renderbuffer(size, 4, samples=samples)], context.depth_renderbuffer(size, samples=samples)
    )
    resolved = context.framebuffer([context.renderbuffer(size, 4)])
    labels = context.framebuffer(
        [context.renderbuffer(size, 1), context.renderbuffer(size, 1, dtype="f4")], context.depth_renderbuffer(size)
    )
    shadow_map = context.depth_texture((SHADOW_TEXELS, SHADOW_TEXELS))
    shadow_map.compare_func = "<="
    shadow_frame = context.framebuffer([], shadow_map)
    noise = np.random.default_rng(0).integers(64, 192, (256, 256), np.uint8)
    grain = context.texture((256, 256), 1, noise.tobytes())
    grain.build_mipmaps()
    grain.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
    grain.use(0)
    shadow_map.use(1)
    shade["grain"], shade["shadow"], shade["sun"] = 0, 1, tuple(sun)
    cameras, number, shadow_at = file["cameras"], 0, None

    def picture():
        nonlocal number, shadow_at
        to_world = cameras[number % len(cameras)]
        number += 1
        eye = to_world[:3, 3]
        if shadow_at is None or np.linalg.norm(eye - shadow_at) > SHADOW_KEPT_M:
            shadow_at = eye
            to_sun = sun_matrix(sun, eye).T.astype("f4").tobytes()
            shade["to_sun"].write(to_sun)
            shadow_only["to_clip"].write(to_sun)
            shadow_frame.use()
            shadow_frame.clear(depth=1.0)
            scene.draw(
                casting, np.linalg.norm((scene.middles - eye)[:, :2], axis=1) < 2 * SHADOW_RADIUS_M + scene.radii
            )
        clip = clip_matrix(to_world, float(file["fov_deg"]), width, height)
        # Of the planes of the view: left, right, below, above, behind.
        planes = np.stack([clip[3] + clip[0], clip[3] - clip[0], clip[3] + clip[1], clip[3] - clip[1], clip[3]])
        planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
        seen = (scene.middles @ planes[:, :3].T + planes[:, 3] > -scene.radii[:, None]).all(axis=1)
        written = clip.T.astype("f4").tobytes()
        shade["to_clip"].write(written)
        shade["eye"] = tuple(eye)
        label["to_clip"].write(written)
        sampled.use()
        sampled.clear(0.65, 0.72, 0.80, 1.0, depth=1.0)
        scene.draw(shaded, seen)
        context.copy_framebuffer(resolved, sampled)
        labels.use()
        labels.clear(SKY / 255.0, depth=1.0)
        scene.draw(labelled, seen)
        resolved.read(components=4)
        labels.read(components=1)
        labels.read(components=1, attachment=1, dtype="f4")
        return 1

    answer(picture, renderer=renderer)


if __name__ == "__main__":
    main()
