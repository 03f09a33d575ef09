// Graphs of older versions are brought up to date before the browser loads them.

import { app } from '../../scripts/app.js'
import { update } from './fresco/older_graphs.js'

app.registerExtension({ name: 'fresco.OlderGraphs', beforeConfigureGraph: update })
