// Starts the dashboard.
import { createRoot } from "react-dom/client";
import { browserMemory } from "../app/storage";
import "uplot/dist/uPlot.min.css";
import "./style/main.css";
import { Dashboard } from "./view/Dashboard";

const root = document.getElementById("root");

if (root) createRoot(root).render(<Dashboard memory={browserMemory()} />);
