"""Random shifts."""

import numpy as np
import tensorflow as tf

from tfacme import networks, updates


def test_images_of_an_item_move_alike_and_repeat_their_border():
  image = np.arange(36, dtype=np.float32).reshape(6, 6, 1)
  images = tf.constant(np.tile(image, (50, 2, 1, 1, 1)))
  with networks.drawing(tf.constant([1, 2])):
    moved = updates.random_shift(images, pixels=2).numpy()
  assert moved.shape == (50, 2, 6, 6, 1)
  np.testing.assert_array_equal(moved[:, 0], moved[:, 1])
  padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode='edge')
  allowed = {padded[i : i + 6, j : j + 6].tobytes() for i in range(5) for j in range(5)}
  found = {item[0].tobytes() for item in moved}
  assert found <= allowed and len(found) > 10
