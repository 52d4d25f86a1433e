"""Other people's models behind our ports, for comparing in `platewarden read` and `bench`.

Never on a camera: only `commands.read` may import this.

Mitigates against: a swapped or foreign model in the camera's process. Its models come by path,
without a manifest's hash, from whoever typed the command.
"""
